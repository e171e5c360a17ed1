import { join } from 'node:path';
import versions from './versions.json';

export type AgentCliName = keyof typeof versions;

export interface AgentCli {
  name: AgentCliName;
  package: string;
  version: string;
  installMegabytes: number;
  /** Where the executable may be below the folder npm installed into, best first. */
  executables: readonly string[];
}

/** A CLI this repository pins. Throws for any other name, listing those there are. */
export function agentCli(name: string): AgentCli {
  const known = Object.keys(versions) as AgentCliName[];
  const found = known.find((one) => one === name);
  if (found === undefined) throw new Error(`no agent CLI named "${name}"; there are: ${known.join(', ')}`);
  return { name: found, ...versions[found], executables: EXECUTABLES[found] };
}

const bin = (name: string): string => join('node_modules', '.bin', name);

/** Claude Code is a native program in a package per platform; its own bin only works after an install script ran. */
const EXECUTABLES: Record<AgentCliName, readonly string[]> = {
  'claude-code': [
    join('node_modules', '@anthropic-ai', `claude-code-${process.platform}-${process.arch}`, 'claude'),
    join('node_modules', '@anthropic-ai', `claude-code-${process.platform}-${process.arch}-musl`, 'claude'),
    bin('claude'),
  ],
  codex: [bin('codex')],
  gemini: [bin('gemini')],
  opencode: [bin('opencode')],
  qwen: [bin('qwen')],
};
