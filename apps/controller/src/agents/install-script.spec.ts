import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { envConfig } from './env-config';
import { installScript } from './install-script';

const AGENT_ID = '693f3a2c8d1e5b4a7c9f1d3e';
const HOSTILE_NAMES = [
  'Support',
  'Customer Support Agent',
  `it's "quoted" \\ and $(touch pwned) \`touch pwned\``,
  `'; touch pwned; '`,
  'END_OF_ENVIRONMENT',
  '-n --help %s',
  'naïve ünïcode 名',
];
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

describe('installScript', () => {
  let home: string;
  let server: Server;
  let baseUrl: string;
  let archive: Buffer;

  beforeAll(async () => {
    const built = mkdtempSync(join(tmpdir(), 'reins-built-'));
    writeFileSync(join(built, 'main.js'), 'console.log("harness", ...process.argv.slice(2))');
    create({ gzip: true, sync: true, cwd: built, file: join(built, 'h.tar.gz') }, ['main.js']);
    archive = readFileSync(join(built, 'h.tar.gz'));
    rmSync(built, { recursive: true });
    server = createServer((request, response) => {
      const found = request.url === '/downloads/harness.tar.gz';
      response.writeHead(found ? 200 : 404).end(found ? archive : 'nothing here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => server.close());

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'reins-install-'));
  });

  afterEach(() => rmSync(home, { recursive: true }));

  const sum = () => createHash('sha256').update(archive).digest('hex');
  const installDir = () => join(home, 'agent');

  /** Without a sum: of a controller that has no harness to hand out. */
  function scriptFor(name: string, sha256: string | null = sum()): { env: string; script: string } {
    const env = envConfig({ baseUrl, agentId: AGENT_ID, secret: 'ab12', name, settings: {} });
    return {
      env,
      script: installScript({ agentId: AGENT_ID, name, env, baseUrl, harnessSha256: sha256 ?? undefined }),
    };
  }

  /** Asynchronous, since this process serves the download. */
  function run(script: string, environment: Record<string, string> = {}, args = ['--none']): Promise<Run> {
    const child = spawn('bash', ['-s', '--', ...args], {
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, RUN_AS: 'root', INSTALL_DIR: installDir(), ...environment },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(script);
    return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
  }

  it.each(HOSTILE_NAMES)('C1 S14 is valid bash for an agent named %j', (name) => {
    execFileSync('bash', ['-n'], { input: scriptFor(name).script });
    execFileSync('bash', ['-n'], { input: scriptFor(name, null).script });
  });

  (hasShellcheck ? it : it.skip).each(HOSTILE_NAMES)('S14 shellcheck finds nothing for an agent named %j', (name) => {
    const { status, stdout } = spawnSync('shellcheck', ['-'], { input: scriptFor(name).script, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });

  it.each(HOSTILE_NAMES)('S14 writes exactly the .env of an agent named %j, for its owner only', async (name) => {
    const { env, script } = scriptFor(name);
    const result = await run(script);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toContain(`Installed the agent ${name} (${AGENT_ID})`);
    expect(readFileSync(join(installDir(), '.env'), 'utf8')).toBe(env);
    expect(statSync(join(installDir(), '.env')).mode & 0o777).toBe(0o600);
    expect(statSync(installDir()).mode & 0o777).toBe(0o700);
    expect(existsSync(join(home, 'pwned'))).toBe(false);
  });

  it('installs the harness of the controller, so that the start command runs it with the .env', async () => {
    expect(await run(scriptFor('Support').script)).toMatchObject({ status: 0 });
    const started = execFileSync(join(installDir(), 'start'), { encoding: 'utf8' });
    expect(started).toBe(`harness --env-file ${join(installDir(), '.env')}\n`);
  });

  it('installing again changes nothing and leaves nothing half done behind', async () => {
    await run(scriptFor('Support').script);
    const before = readdirSync(installDir(), { recursive: true }).sort();
    expect(await run(scriptFor('Support').script)).toMatchObject({ status: 0 });
    expect(readdirSync(installDir(), { recursive: true }).sort()).toEqual(before);
  });

  it('refuses a harness whose checksum is another one', async () => {
    const result = await run(scriptFor('Support', 'f'.repeat(64)).script);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('the checksum of the harness is');
    expect(existsSync(join(installDir(), 'current'))).toBe(false);
  });

  it('runs a command of the owner instead, with the variables of the .env', async () => {
    const name = `it's "$HOME" agent`;
    const HARNESS_COMMAND = `bash -c 'printf "%s|%s|%s" "$AIWM_AGENT_ID" "$AIWM_AGENT_SECRET" "$AGENT_NAME"'`;
    expect(await run(scriptFor(name, null).script, { HARNESS_COMMAND })).toMatchObject({ status: 0, stderr: '' });
    expect(execFileSync(join(installDir(), 'start'), { encoding: 'utf8' })).toBe(`${AGENT_ID}|ab12|${name}`);
  });

  it('removes what it installed, and only that', async () => {
    await run(scriptFor('Support').script);
    mkdirSync(join(home, 'other'));
    const { script } = scriptFor('Support');
    expect(await run(script, {}, ['--none', '--uninstall'])).toMatchObject({ status: 0 });
    expect(readdirSync(home)).toEqual(['other']);
    expect(await run(script, { INSTALL_DIR: join(home, 'other') }, ['--none', '--uninstall'])).toMatchObject({
      status: 1,
    });
    expect(readdirSync(home)).toEqual(['other']);
  });

  it('does nothing when it is cut off on its way', async () => {
    const { script } = scriptFor('Support');
    const { stdout } = await run(script.slice(0, script.lastIndexOf('main "$@"')));
    expect(stdout).toBe('');
    expect(readdirSync(home)).toEqual([]);
  });

  it.each<[Record<string, string>, string[]]>([
    [{ INSTALL_DIR: 'relative' }, ['--none']],
    [{ INSTALL_DIR: '/tmp/a b' }, ['--none']],
    [{ INSTALL_DIR: '/tmp/../etc' }, ['--none']],
    [{ SERVICE_NAME: '../x' }, ['--none']],
    [{ RUN_AS: 'a b' }, ['--none']],
    [{ PROCESS_MANAGER: 'cron' }, []],
    [{}, ['--fast']],
  ])('refuses %j %j before it writes anything', async (environment, args) => {
    const result = await run(scriptFor('Support').script, environment, args);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error: /);
    expect(readdirSync(home)).toEqual([]);
  });

  it('without a harness at the controller it asks for a command', async () => {
    const result = await run(scriptFor('Support', null).script);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('set HARNESS_COMMAND');
  });
});
