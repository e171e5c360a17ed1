import { join } from 'node:path';
import { OBJECT_ID_PATTERN } from '@reins/shared/ids';
import { z } from 'zod';
import { ConfigError } from '../config/load-config';
import { readPrivateFile, writePrivateFile } from './private-file';

/** What a harness that registered itself is, from then on. */
const StoredCredentials = z.object({
  agentId: z.string().regex(OBJECT_ID_PATTERN),
  secret: z.string().min(1),
  orgId: z.string(),
  name: z.string(),
  /** The controller it registered with. */
  baseUrl: z.string(),
  enrolledAt: z.string(),
  rotatedAt: z.string().optional(),
});
export type StoredCredentials = z.infer<typeof StoredCredentials>;

export const credentialsPath = (stateDir: string): string => join(stateDir, 'credentials.json');

/** Undefined where the harness has not registered itself yet. Throws a ConfigError where the file is not usable. */
export function readCredentials(path: string): StoredCredentials | undefined {
  const text = readPrivateFile(path);
  if (text === undefined) return undefined;
  const parsed = StoredCredentials.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  // Never replaced by registering again: an administrator may be able to tell which agent this was.
  throw new ConfigError(
    `${path} does not hold an agent's credentials: delete it to register as a new agent with REINS_ENROLLMENT_TOKEN`,
  );
}

/** Throws the system's error. */
export function writeCredentials(path: string, credentials: StoredCredentials): void {
  writePrivateFile(path, `${JSON.stringify(credentials, undefined, 2)}\n`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
