import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { artifactsOf, changedFiles, snapshotFiles } from './file-changes';

let workspace: string;
beforeEach(() => (workspace = mkdtempSync(join(tmpdir(), 'reins-files-'))));
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

const write = (path: string, text = path): void => {
  mkdirSync(join(workspace, path, '..'), { recursive: true });
  writeFileSync(join(workspace, path), text);
};

describe('changed files', () => {
  it('names what a turn created, changed and deleted, sorted', async () => {
    for (const path of ['z.txt', 'same.txt', 'a/gone.txt', 'a/changed.txt']) write(path);
    const before = await snapshotFiles(workspace);
    write('a/changed.txt', 'other');
    write('b/new.txt');
    rmSync(join(workspace, 'a/gone.txt'));
    const changes = changedFiles(before, await snapshotFiles(workspace));
    expect(changes).toEqual([
      { path: 'a/changed.txt', action: 'modified' },
      { path: 'a/gone.txt', action: 'deleted' },
      { path: 'b/new.txt', action: 'created' },
    ]);
    expect(artifactsOf(changes)).toEqual(['a/changed.txt', 'b/new.txt']);
  });

  it('leaves out repositories, packages, links and the instruction file', async () => {
    const before = await snapshotFiles(workspace);
    for (const path of ['.git/index', 'node_modules/x/index.js', 'sub/.git/HEAD', 'CLAUDE.md', 'sub/CLAUDE.md'])
      write(path);
    symlinkSync('/etc', join(workspace, 'link'));
    const after = await snapshotFiles(workspace, { ignore: new Set(['CLAUDE.md']) });
    expect(changedFiles(before, after)).toEqual([{ path: 'sub/CLAUDE.md', action: 'created' }]);
  });

  it('stays bounded and claims no deletion it did not see', async () => {
    for (let i = 0; i < 30; i++) write(`f${i}`);
    const before = await snapshotFiles(workspace, { maxFiles: 30 });
    const after = await snapshotFiles(workspace, { maxFiles: 10 });
    expect(after.truncated).toBe(true);
    expect(changedFiles(before, after)).toEqual([]);
    const many = Array.from({ length: 5000 }, (_, i) => ({
      path: `${i}/${'x'.repeat(200)}`,
      action: 'created' as const,
    }));
    expect(Buffer.byteLength(JSON.stringify(artifactsOf(many)))).toBeLessThan(40_000);
  });
});
