import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envConfig } from './env-config';
import { installScript } from './install-script';

const AGENT_ID = '693f3a2c8d1e5b4a7c9f1d3e';
const NAMES = [
  'Support',
  'Customer Support Agent',
  `it's "quoted" \\ and $(touch pwned) \`touch pwned\``,
  `'; touch pwned; '`,
  'END_OF_ENVIRONMENT',
  '-n --help %s',
  'naïve ünïcode 名',
];

function scriptFor(name: string): { env: string; script: string } {
  const env = envConfig({ baseUrl: 'http://127.0.0.1:1', agentId: AGENT_ID, secret: 'ab12', name, settings: {} });
  return { env, script: installScript({ agentId: AGENT_ID, name, env }) };
}

describe('installScript', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'reins-install-'));
  });

  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  const run = (script: string, environment: Record<string, string> = {}, args: string[] = []) =>
    spawnSync('bash', ['-s', '--', ...args], {
      input: script,
      cwd: home,
      env: { PATH: process.env.PATH, HOME: home, ...environment },
      encoding: 'utf8',
    });

  it.each(NAMES)('is valid bash for an agent named %j', (name) => {
    execFileSync('bash', ['-n'], { input: scriptFor(name).script });
  });

  it.each(NAMES)('writes exactly the .env of an agent named %j, for its owner only', (name) => {
    const { env, script } = scriptFor(name);
    const result = run(script);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toContain(`for the agent ${name} (${AGENT_ID})`);
    const folder = join(home, '.reins/agents', AGENT_ID);
    expect(readdirSync(folder)).toEqual(['.env']);
    expect(readFileSync(join(folder, '.env'), 'utf8')).toBe(env);
    expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(home, 'pwned'))).toBe(false);
  });

  it('runs the command in the foreground with the variables of the .env', () => {
    const name = `it's "$HOME" agent`;
    const HARNESS_COMMAND = `bash -c 'printf "%s|%s|%s" "$AIWM_AGENT_ID" "$AIWM_AGENT_SECRET" "$AGENT_NAME"'`;
    const result = run(scriptFor(name).script, { HARNESS_COMMAND });
    expect(result.stderr).toBe('');
    expect(result.stdout).toContain(`${AGENT_ID}|ab12|${name}`);
  });

  it.each<[Record<string, string>, string[]]>([
    [{ INSTALL_DIR: 'relative' }, []],
    [{ INSTALL_DIR: '/tmp/a b' }, []],
    [{ SERVICE_NAME: '../x' }, []],
    [{}, ['--help']],
    [{}, ['--systemd']],
  ])('refuses %j %j before it writes anything', (environment, args) => {
    const result = run(scriptFor('Support').script, environment, args);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error: /);
    expect(readdirSync(home)).toEqual([]);
  });
});
