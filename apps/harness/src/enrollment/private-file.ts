import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError } from '../config/load-config';

const OWNER_ONLY = 0o600;
const ANYBODY_ELSE = 0o077;

/**
 * The text of a file that holds a secret; undefined where there is none. Throws a ConfigError where others may read it:
 * then the secret must count as known to them.
 */
export function readPrivateFile(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isFile()) throw new ConfigError(`${path} is not a file: the harness keeps its credentials there`);
    if ((stats.mode & ANYBODY_ELSE) !== 0) throw readableByOthers(path, stats.mode);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${path} cannot be read (${codeOf(error)}): the harness does not know which agent it is`);
  }
}

function readableByOthers(path: string, mode: number): ConfigError {
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return new ConfigError(
    `${path} can be read by others (mode ${octal}): its secret may be known; ` +
      'rotate the credentials, and set the mode with chmod 600',
  );
}

/**
 * Replaces a file as a whole, readable by its owner only: whatever is cut off in between, afterwards there is the old text
 * or the new one, never a part. Makes the folder. Throws the system's error.
 */
export function writePrivateFile(path: string, text: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  // A leftover of a crash could have another mode, which opening would keep.
  rmSync(temporary, { force: true });
  try {
    writeDurably(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  flushFolder(folder);
}

/** Writes a file that must not be there yet. Throws EEXIST where it is. */
export function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', OWNER_ONLY);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** A new name in a folder survives a power cut only after this. */
export function flushFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? 'unknown error';
}
