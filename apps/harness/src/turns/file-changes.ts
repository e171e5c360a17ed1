import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a workspace looked like: size and times of each file by its path relative to the workspace, `/` between parts. */
export interface FileSnapshot {
  files: ReadonlyMap<string, string>;
  /** There were more files than were looked at. */
  truncated: boolean;
}

export interface FileChange {
  path: string;
  action: 'created' | 'modified' | 'deleted';
}

export interface SnapshotOptions {
  /** Names in the workspace's own folder that are not the agent's work, e.g. the instruction file. */
  ignore?: ReadonlySet<string>;
  maxFiles?: number;
}

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/** Looks at every file below the folder, up to a limit. What vanishes meanwhile is left out. Links are not followed. */
export async function snapshotFiles(workspace: string, options: SnapshotOptions = {}): Promise<FileSnapshot> {
  const { ignore = new Set<string>(), maxFiles = 20_000 } = options;
  const files = new Map<string, string>();
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    let entries;
    try {
      entries = await opendir(join(workspace, folder));
    } catch {
      continue;
    }
    for await (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (folder === '' && ignore.has(entry.name)) continue;
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) pending.push(path);
        continue;
      }
      if (!entry.isFile()) continue;
      if (files.size >= maxFiles) return { files, truncated: true };
      const facts = await stat(join(workspace, path)).catch(() => undefined);
      if (facts !== undefined) files.set(path, `${facts.size}:${facts.mtimeMs}:${facts.ctimeMs}:${facts.ino}`);
    }
  }
  return { files, truncated: false };
}

/** What is different, sorted by path. Deletions are not told from files that were not looked at, so then left out. */
export function changedFiles(before: FileSnapshot, after: FileSnapshot): FileChange[] {
  const changes: FileChange[] = [];
  for (const [path, facts] of after.files) {
    const previous = before.files.get(path);
    if (previous === undefined && !before.truncated) changes.push({ path, action: 'created' });
    else if (previous !== undefined && previous !== facts) changes.push({ path, action: 'modified' });
  }
  if (!before.truncated && !after.truncated) {
    for (const path of before.files.keys()) if (!after.files.has(path)) changes.push({ path, action: 'deleted' });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

const MAX_ARTIFACTS = 1000;
const MAX_ARTIFACT_BYTES = 32 * 1024;

/** The created and changed paths a terminal event names; bounded, so that the event always fits. */
export function artifactsOf(changes: readonly FileChange[]): string[] {
  const artifacts: string[] = [];
  let bytes = 0;
  for (const { path, action } of changes) {
    if (action === 'deleted') continue;
    bytes += Buffer.byteLength(JSON.stringify(path));
    if (artifacts.length >= MAX_ARTIFACTS || bytes > MAX_ARTIFACT_BYTES) break;
    artifacts.push(path);
  }
  return artifacts;
}
