import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refuseLink, removeFolder } from './remove-folder';
import { UnsafePath } from './safe-path';

let base: string;
let root: string;
let outside: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'reins-remove-'));
  [root, outside] = [join(base, 'root'), join(base, 'outside')];
  mkdirSync(join(root, 'sess-1', 'deep'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('the removal of a folder', () => {
  it('takes everything in it, and nothing that a link in it leads to', async () => {
    writeFileSync(join(root, 'sess-1', 'deep', 'file'), '');
    symlinkSync(outside, join(root, 'sess-1', 'deep', 'link'));
    await removeFolder(root, 'sess-1');
    expect(readdirSync(root)).toEqual([]);
    expect(readdirSync(outside)).toEqual(['kept']);
  });

  it('of a link removes the link alone', async () => {
    symlinkSync(outside, join(root, 'sess-2'));
    await removeFolder(root, 'sess-2');
    expect(existsSync(join(root, 'sess-2'))).toBe(false);
    expect(readdirSync(outside)).toEqual(['kept']);
  });

  it('is done where there is none, or no root either', async () => {
    await removeFolder(root, 'sess-3');
    await removeFolder(join(base, 'nowhere'), 'sess-3');
    expect(readdirSync(root)).toEqual(['sess-1']);
  });

  it.each(['', '.', '..', '../outside', 'sess-1/deep', '/tmp', 'a\0b', 'a\\b'])('is refused for %j', async (name) => {
    await expect(removeFolder(root, name)).rejects.toThrow(UnsafePath);
    expect(readdirSync(outside)).toEqual(['kept']);
    expect(existsSync(join(root, 'sess-1', 'deep'))).toBe(true);
  });
});

describe('the folder of a session', () => {
  it('may not be a link, dangling or not', async () => {
    symlinkSync(outside, join(root, 'sess-2'));
    symlinkSync(join(base, 'nothing'), join(root, 'sess-3'));
    await expect(refuseLink(root, 'sess-2')).rejects.toThrow(UnsafePath);
    await expect(refuseLink(root, 'sess-3')).rejects.toThrow(UnsafePath);
    await refuseLink(root, 'sess-1');
    await refuseLink(root, 'sess-4');
  });
});
