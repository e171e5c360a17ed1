import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';

/** 108 bytes on Linux and 104 on macOS, with the closing zero. */
export const MAX_SOCKET_PATH = 103;

export const socketUri = (socketPath: string): string => `mongodb://${encodeURIComponent(socketPath)}/`;

/**
 * Where the server of a data directory listens: in the directory, or, when that path is too long for a socket, under a
 * name made from it in a private folder of the system's temporary directory. The same directory gives the same path.
 */
export function socketPathOf(dir: string): string {
  const inside = join(resolve(dir), 'mongo.sock');
  if (Buffer.byteLength(inside) <= MAX_SOCKET_PATH) return inside;
  const name = createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 16);
  const outside = join(privateFolder(), `${name}.sock`);
  if (Buffer.byteLength(outside) > MAX_SOCKET_PATH) {
    throw new Error(
      `no socket path of at most ${MAX_SOCKET_PATH} bytes: both ${inside} and ${outside} are longer; set TMPDIR to a shorter one`,
    );
  }
  return outside;
}

/** Others can write to the temporary directory too, so the folder must be this user's own and closed to them. */
function privateFolder(): string {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `reins-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = lstatSync(folder);
  if (!status.isDirectory() || (uid >= 0 && status.uid !== uid) || (status.mode & 0o077) !== 0) {
    throw new Error(`${folder} is not a private folder of this user; remove it or set TMPDIR`);
  }
  return folder;
}
