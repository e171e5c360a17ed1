import { accessSync, constants, mkdirSync } from 'node:fs';
import { ConfigError } from '../config/load-config';

/** The folders a harness works in, each by the variable that names it. */
export type Folders = Readonly<Partial<Record<'REINS_WORKSPACE' | 'REINS_STATE_DIR' | 'HOME', string>>>;

/**
 * Makes the folders that are missing, for this user only; on a fresh volume none is there. Throws a `ConfigError` naming
 * the first one that cannot be written. A user may have no home: whoever of its agents needs one says so itself.
 */
export function prepareFolders(folders: Folders): void {
  for (const [variable, path] of Object.entries(folders)) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      accessSync(path, constants.W_OK | constants.X_OK);
    } catch (error) {
      if (variable === 'HOME') continue;
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      throw new ConfigError(`${variable} ${path} cannot be written (${code}): the harness has nowhere to work`);
    }
  }
}
