import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '../config/load-config';
import { codeOf, flushFolder, readPrivateFile, writeDurably } from './private-file';

const KEY = /^[A-Za-z0-9_-]{43}$/;

const keyPath = (stateDir: string): string => join(stateDir, 'enrollment.key');

/**
 * The key by which the controller knows this harness when it asks to register again, because the first answer was lost.
 * Written down before it is used for the first time. Throws a ConfigError where that is not possible.
 */
export function enrollmentKey(stateDir: string): string {
  const path = keyPath(stateDir);
  const stored = readPrivateFile(path)?.trim();
  if (stored !== undefined && KEY.test(stored)) return stored;
  const key = randomBytes(32).toString('base64url');
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Cut off while it was written: it has never been used.
    if (stored !== undefined) rmSync(path);
    writeDurably(path, `${key}\n`);
    flushFolder(dirname(path));
  } catch (error) {
    throw new ConfigError(
      `REINS_STATE_DIR ${stateDir} cannot be written (${codeOf(error)}): ` +
        'the harness could not remember which agent it registers as',
    );
  }
  return key;
}

/** The agent is known: the key, which together with the token could give somebody its identity, has done its work. */
export function forgetEnrollmentKey(stateDir: string): void {
  rmSync(keyPath(stateDir), { force: true });
}
