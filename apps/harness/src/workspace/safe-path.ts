import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** The path leads out of the folder it must stay in, or is not a path at all. */
export class UnsafePath extends Error {
  override readonly name = 'UnsafePath';
}

/**
 * The absolute path of something below `root`, links resolved, whether it exists yet or not. Rejects with UnsafePath for
 * everything that ends elsewhere: absolute paths, `..`, links out of the folder. A file's content must still be opened
 * without following a link that is put there afterwards.
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  if (path === '' || path.includes('\0')) throw new UnsafePath('the path is empty or not text');
  if (isAbsolute(path) || /^[a-z]:[\\/]/i.test(path) || path.split(/[\\/]/).includes('..')) {
    throw new UnsafePath('the path must be relative and may not contain ..');
  }
  const realRoot = await realpath(root);
  const real = await realpathOfPart(resolve(realRoot, path), realRoot);
  const inside = relative(realRoot, real);
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new UnsafePath('the path leads out of the workspace');
  }
  return real;
}

/** Resolves the deepest part that exists; what does not exist yet cannot be a link. */
async function realpathOfPart(path: string, root: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' || path === root) throw new UnsafePath(`the path cannot be resolved (${code ?? 'unknown'})`);
    // A link to something that does not exist would be followed by whoever creates the file.
    const isLink = await lstat(path).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    );
    if (isLink) throw new UnsafePath('the path is a link to something that does not exist');
    return join(await realpathOfPart(dirname(path), root), basename(path));
  }
}
