import { constants } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { resolveInside } from './safe-path';

/** The file each kind of agent reads its instructions from; agents that run code have none. */
const FILES: Readonly<Record<string, string | undefined>> = {
  'claude-code': 'CLAUDE.md',
  gemini: 'GEMINI.md',
  javascript: undefined,
  functions: undefined,
};

export function instructionFileName(cliType: string): string | undefined {
  return Object.hasOwn(FILES, cliType) ? FILES[cliType] : 'AGENTS.md';
}

/** Writes the merged instruction where the agent looks for it. */
export async function writeInstruction(workspace: string, cliType: string, instruction: string): Promise<void> {
  await mkdir(workspace, { recursive: true });
  const name = instructionFileName(cliType);
  if (name === undefined) return;
  const path = await resolveInside(workspace, name);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o644);
  try {
    await file.writeFile(instruction);
  } finally {
    await file.close();
  }
}
