import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import versions from '../agent-clis/versions.json';

const ROOT = join(__dirname, '../..');
const DOCKER = join(ROOT, 'deploy/docker');
const IN_IMAGES = ['claude-code', 'codex', 'gemini', 'opencode'] as const;
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const json = <T>(path: string): T => JSON.parse(text(path)) as T;

/** Whether .dockerignore lets a path through: named there, below one that is, or a folder with one in it. */
function reachesBuild(source: string): boolean {
  return (text('.dockerignore').match(/(?<=^!).*/gm) ?? []).some((allowed) => {
    const pattern = allowed.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
    return new RegExp(`^${pattern}(/|$)`).test(source) || allowed.startsWith(`${source}/`);
  });
}

interface Lock {
  packages: Record<
    string,
    { version?: string; integrity?: string; resolved?: string; dependencies?: Record<string, string> }
  >;
}

describe('images', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'reins-images-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const put = (path: string, content: unknown): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
  };
  const run = (script: string, env: NodeJS.ProcessEnv = {}, ...args: string[]) =>
    spawnSync(process.execPath, [join(DOCKER, script), ...args], { cwd: folder, env, encoding: 'utf8' });

  it.each(IN_IMAGES)('locks %s to the version the tests use, from no registry in particular', (cli) => {
    const { package: name, version } = versions[cli];
    const manifest = json<{ dependencies: object }>(`deploy/docker/agent-clis/${cli}/package.json`);
    const lock = json<Lock>(`deploy/docker/agent-clis/${cli}/package-lock.json`);
    expect(manifest.dependencies).toEqual({ [name]: version });
    expect(lock.packages['']?.dependencies).toEqual({ [name]: version });
    expect(lock.packages[`node_modules/${name}`]?.version).toBe(version);
    for (const [path, { integrity, resolved }] of Object.entries(lock.packages)) {
      if (path !== '') expect([path, integrity]).toEqual([path, expect.stringMatching(/^sha512-/)]);
      expect(resolved).toBeUndefined();
    }
  });

  it.each(['controller', 'harness'])(
    'builds %s on a base of choice, as a user without rights, started by tini',
    (name) => {
      const dockerfile = text(`deploy/docker/${name}.Dockerfile`);
      expect(dockerfile).toMatch(/^ARG BASE_IMAGE=node:20-bookworm-slim$/m);
      expect(dockerfile.match(/^FROM .*/gm)?.[0]).toMatch(/^FROM \$\{BASE_IMAGE\} AS /);
      expect(dockerfile).toMatch(/^USER 1000:1000$/m);
      expect(dockerfile).toContain(`ENTRYPOINT ["tini", "-s", "--", "node", "/opt/reins/${name}/main.js"]`);
      expect(dockerfile).toMatch(/org\.opencontainers\.image\.version=/);
      const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
        ([, sources]) => sources?.split(' ') ?? [],
      );
      expect(copied.length).toBeGreaterThan(0);
      expect(copied.filter((source) => !reachesBuild(source))).toEqual([]);
    },
  );

  describe('verify-lock', () => {
    const good = { version: '1.0.0', integrity: 'sha512-a' };
    const fill = (changes: { manifest?: object; locked?: object; installed?: object } = {}): void => {
      put('package.json', { dependencies: { a: '1.0.0' }, ...changes.manifest });
      const packages = { '': { dependencies: { a: '1.0.0' } }, 'node_modules/a': good, ...changes.locked };
      put('package-lock.json', { packages });
      put('node_modules/.package-lock.json', { packages: { 'node_modules/a': good, ...changes.installed } });
    };

    it('is content with what the lock says', () => {
      fill({ locked: { 'node_modules/other-platform': { version: '1.0.0', integrity: 'sha512-b' } } });
      expect(run('verify-lock.cjs')).toMatchObject({ status: 0, stderr: '' });
    });

    it.each([
      ['another version', { installed: { 'node_modules/a': { ...good, version: '1.0.1' } } }, 'the lock has 1.0.0'],
      ['other bytes', { installed: { 'node_modules/a': { ...good, integrity: 'sha512-x' } } }, 'node_modules/a'],
      ['a package more', { installed: { 'node_modules/b': good } }, 'is not in the lock'],
      ['a changed package.json', { manifest: { dependencies: { a: '2.0.0' } } }, 'package.json says 2.0.0'],
      ['one more in package.json', { manifest: { devDependencies: { c: '1.0.0' } } }, 'the lock nothing'],
    ])('ends the build over %s', (_, changes, words) => {
      fill(changes);
      const { status, stderr } = run('verify-lock.cjs');
      expect(status).toBe(1);
      expect(stderr).toContain(words);
    });
  });

  it('links the native program of a CLI whose own command is only a placeholder, else that command', () => {
    const native = `@x/cli-${process.platform}-${process.arch}`;
    put('package.json', { dependencies: { '@x/cli': '1.0.0' } });
    put('node_modules/@x/cli/package.json', {
      bin: { native: 'placeholder.js', script: 'script.js' },
      optionalDependencies: { [native]: '1.0.0' },
    });
    put('node_modules/@x/cli/placeholder.js', '');
    put('node_modules/@x/cli/script.js', '');
    put(`node_modules/${native}/bin/native`, '');
    expect(run('link-agent-cli.cjs')).toMatchObject({ status: 0, stdout: 'commands: native, script\n' });
    expect(readlinkSync(join(folder, 'bin/native'))).toBe(`../node_modules/${native}/bin/native`);
    expect(readlinkSync(join(folder, 'bin/script'))).toBe('../node_modules/@x/cli/script.js');
  });

  it('signs a first token with the secret of the controller, and none without it', () => {
    const { status, stdout } = run('token.cjs', { JWT_SECRET: 's'.repeat(32) }, '--org', 'acme', '--seconds', '60');
    expect(status).toBe(0);
    const [head, body, signature] = stdout.trim().split('.');
    expect(createHmac('sha256', 's'.repeat(32)).update(`${head}.${body}`).digest('base64url')).toBe(signature);
    const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString()) as { iat: number; exp: number };
    expect(claims).toMatchObject({ sub: 'admin', orgId: 'acme', roles: ['organization.owner'] });
    expect(claims.exp - claims.iat).toBe(60);
    expect(run('token.cjs').status).not.toBe(0);
  });

  it('refuses names of images there are not', () => {
    const result = spawnSync(join(ROOT, 'scripts/images'), ['load', 'harnes'], {
      env: { ...process.env, REINS_CACHE_DIR: folder },
      encoding: 'utf8',
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('There is no image "harnes". Names: base controller harness harness-claude-code');
  });

  const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;
  (hasShellcheck ? it : it.skip)('shellcheck finds nothing', () => {
    const scripts = ['scripts/images', 'deploy/docker/install-packages.sh', 'deploy/docker/local-base.sh'];
    expect(spawnSync('shellcheck', ['-x', ...scripts], { cwd: ROOT, encoding: 'utf8' }).stdout).toBe('');
  });
});
