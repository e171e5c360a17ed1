import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes the locks a killed git left in its folder, with which every later command would fail. Only for a moment in
 * which nothing of ours works in the repository.
 */
export async function removeLocks(gitFolder: string): Promise<string[]> {
  const removed: string[] = [];
  for (const [folder, recursive] of [
    [gitFolder, false],
    [join(gitFolder, 'refs'), true],
  ] as const) {
    const entries = await readdir(folder, { withFileTypes: true, recursive }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.lock')) continue;
      const path = join(entry.parentPath, entry.name);
      await rm(path, { force: true });
      removed.push(path);
    }
  }
  return removed;
}
