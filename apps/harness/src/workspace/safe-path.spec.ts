import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveInside, UnsafePath } from './safe-path';

const outside = realpathSync(mkdtempSync(join(tmpdir(), 'reins-paths-')));
const root = join(outside, 'workspace');
afterAll(() => rmSync(outside, { recursive: true, force: true }));

beforeAll(() => {
  mkdirSync(join(root, 'dir'), { recursive: true });
  writeFileSync(join(root, 'dir/file'), '');
  writeFileSync(join(outside, 'secret'), '');
  mkdirSync(join(outside, 'workspace-evil'));
  symlinkSync(outside, join(root, 'up'));
  symlinkSync('../../secret', join(root, 'dir/escape'));
  symlinkSync('/nonexistent/target', join(root, 'dangling'));
  symlinkSync('../workspace-evil', join(root, 'neighbour'));
  symlinkSync('dir', join(root, 'alias'));
  symlinkSync('loop', join(root, 'loop'));
});

describe('resolveInside', () => {
  it.each([
    ['dir/file', 'dir/file'],
    ['./dir/./file', 'dir/file'],
    ['alias/file', 'dir/file'],
    ['new', 'new'],
    ['dir/new/deep/file.txt', 'dir/new/deep/file.txt'],
    ['alias/new', 'dir/new'],
    ['..file', '..file'],
    ['dir/...', 'dir/...'],
    ['ünïcode 😀', 'ünïcode 😀'],
    ['-rf', '-rf'],
  ])('allows %j', async (path, expected) => {
    await expect(resolveInside(root, path)).resolves.toBe(join(root, expected));
  });

  it.each([
    '',
    '\0',
    'dir/\0file',
    '/etc/passwd',
    '..',
    '../secret',
    'dir/../../secret',
    'dir/..',
    '..\\secret',
    'C:\\windows',
    'c:/windows',
    'up',
    'up/secret',
    'up/new',
    'dir/escape',
    'dangling',
    'dangling/child',
    'neighbour/file',
    'loop',
    'loop/x',
    'dir/file/below-a-file',
    '/work'.repeat(10),
  ])('refuses %j', async (path) => {
    await expect(resolveInside(root, path)).rejects.toBeInstanceOf(UnsafePath);
  });
});
