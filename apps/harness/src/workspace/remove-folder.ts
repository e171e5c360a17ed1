import { lstat, realpath, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { UnsafePath } from './safe-path';

const PLAIN_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Removes a folder that lies directly in `root`, with everything in it. A link is removed, never followed. What is not
 * there is fine. Rejects with UnsafePath for a name that could mean something else.
 */
export async function removeFolder(root: string, name: string): Promise<void> {
  if (!PLAIN_NAME.test(name)) throw new UnsafePath('the name of the folder is not a plain one');
  const folder = await realpath(root).then(
    (real) => join(real, name),
    () => undefined,
  );
  if (folder === undefined || !(await isThere(folder))) return;
  if (await isLink(folder)) await unlink(folder);
  else await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Rejects with UnsafePath where a link has taken the folder's place: its owner would work somewhere else. */
export async function refuseLink(root: string, name: string): Promise<void> {
  if (await isLink(join(root, name))) throw new UnsafePath('the folder of the session is a link to somewhere else');
}

function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
