import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extract } from 'tar';
import { readFileSync } from 'node:fs';
import { loadConfig } from '../config/config';
import { HarnessPackage } from './harness-package';

describe('HarnessPackage', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reins-package-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const packageOf = (dir: string) =>
    new HarnessPackage(loadConfig({ HARNESS_PACKAGE_DIR: dir, REINS_DATA_DIR: folder }, () => 'x'.repeat(32)));

  function build(name: string): string {
    const built = join(folder, name);
    mkdirSync(join(built, 'sub'), { recursive: true });
    writeFileSync(join(built, 'main.js'), 'console.log("harness")');
    writeFileSync(join(built, 'main.js.map'), '{}');
    writeFileSync(join(built, 'sub', 'part.js'), 'part');
    return built;
  }

  it('packs what the harness loads, without source maps', async () => {
    const { bytes } = await packageOf(build('a')).get();
    writeFileSync(join(folder, 'harness.tar.gz'), bytes);
    const out = join(folder, 'out');
    mkdirSync(out);
    const seen: string[] = [];
    await extract({ file: join(folder, 'harness.tar.gz'), cwd: out, onReadEntry: ({ path }) => seen.push(path) });
    expect(seen).toEqual(['main.js', 'sub/part.js']);
    expect(readFileSync(join(out, 'main.js'), 'utf8')).toBe('console.log("harness")');
  });

  it('gives the same sum for the same build, whenever and wherever it was made', async () => {
    const [first, second] = [build('a'), build('b')];
    utimesSync(join(second, 'main.js'), 1, 1);
    expect(await packageOf(second).sha256()).toBe(await packageOf(first).sha256());
  });

  it('says how to get one where no harness was built, and looks again next time', async () => {
    const missing = packageOf(join(folder, 'c'));
    await expect(missing.get()).rejects.toThrow('npm run build:harness');
    expect(await missing.sha256()).toBeUndefined();
    build('c');
    expect(await missing.sha256()).toMatch(/^[0-9a-f]{64}$/);
  });
});
