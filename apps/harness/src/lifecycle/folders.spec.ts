import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareFolders } from './folders';

const root = mkdtempSync(join(tmpdir(), 'reins-folders-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('prepareFolders', () => {
  it('makes what is missing for this user only, and leaves what is there', () => {
    const there = join(root, 'there');
    prepareFolders({ HOME: there });
    const before = statSync(there).mtimeMs;
    prepareFolders({ REINS_WORKSPACE: join(root, 'a/workspace'), REINS_STATE_DIR: join(root, 'a/state'), HOME: there });
    for (const name of ['a/workspace', 'a/state']) expect(statSync(join(root, name)).mode & 0o777).toBe(0o700);
    expect(statSync(there).mtimeMs).toBe(before);
  });

  it('does without a home', () => {
    writeFileSync(join(root, 'no-home'), '');
    expect(() => prepareFolders({ HOME: join(root, 'no-home/of/mine') })).not.toThrow();
  });

  it('names the variable whose folder cannot be had', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => prepareFolders({ REINS_STATE_DIR: join(root, 'file/state') })).toThrow(
      /^REINS_STATE_DIR \S+ cannot be written \(ENOTDIR\): the harness has nowhere to work$/,
    );
  });
});
