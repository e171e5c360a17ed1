import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childEnvironment } from './child-env';
import { ConfigError, loadConfig } from './load-config';
import { mergeSettings } from './settings';

const cwd = mkdtempSync(join(tmpdir(), 'reins-config-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const needed = {
  AIWM_BASE_URL: 'http://127.0.0.1:3305/',
  AIWM_AGENT_ID: '0123456789abcdef01234567',
  AIWM_AGENT_SECRET: 'the-secret-of-this-agent',
};

describe('loadConfig', () => {
  it('fills in defaults and resolves folders', () => {
    expect(loadConfig([], needed, cwd)).toMatchObject({
      baseUrl: 'http://127.0.0.1:3305',
      agentId: needed.AIWM_AGENT_ID,
      workspace: join(cwd, 'workspace'),
      stateDir: join(cwd, '.reins'),
      maxLanes: 8,
      drainMs: 10_000,
      logLevel: 'info',
    });
  });

  it('reads the file that is named, below the environment', () => {
    const file = join(cwd, 'agent.env');
    writeFileSync(file, `# comment\nAIWM_AGENT_SECRET="from the file"\nLOG_LEVEL=debug\n`);
    const { AIWM_AGENT_SECRET: _, ...rest } = needed;
    const config = loadConfig(['--env-file', file], { ...rest, LOG_LEVEL: 'warn' }, cwd);
    expect(config.agentSecret).toBe('from the file');
    expect(config.logLevel).toBe('warn');
  });

  it.each([
    ['AIWM_BASE_URL', undefined, 'AIWM_BASE_URL must be an http or https address'],
    ['AIWM_BASE_URL', 'ftp://x', 'AIWM_BASE_URL must be an http or https address'],
    ['AIWM_AGENT_ID', undefined, 'AIWM_AGENT_ID is missing: without it the harness does not know which agent it is'],
    ['AIWM_AGENT_ID', 'me', 'AIWM_AGENT_ID must be 24 hexadecimal digits'],
    ['AIWM_AGENT_SECRET', undefined, 'AIWM_AGENT_SECRET is missing: without it the controller refuses'],
    ['AIWM_AGENT_SECRET', '', 'AIWM_AGENT_SECRET is missing'],
    ['REINS_MAX_LANES', 'many', 'REINS_MAX_LANES must be a number: it limits how many turns'],
    ['REINS_DRAIN_SECONDS', '-1', 'REINS_DRAIN_SECONDS must be at least 0'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be debug, info, warn or error'],
  ])('says what follows when %s is %s', (name, value, message) => {
    expect(() => loadConfig([], { ...needed, [name]: value }, cwd)).toThrow(ConfigError);
    expect(() => loadConfig([], { ...needed, [name]: value }, cwd)).toThrow(message);
  });

  it('never repeats a secret in a message', () => {
    const attempt = (): unknown => loadConfig([], { ...needed, AIWM_AGENT_ID: 'the-secret-of-this-agent' }, cwd);
    expect(attempt).not.toThrow('the-secret-of-this-agent');
    expect(attempt).toThrow(ConfigError);
  });

  it('refuses an env file that is not there and an option it does not know', () => {
    expect(() => loadConfig(['--env-file', join(cwd, 'none')], needed, cwd)).toThrow('cannot be read (ENOENT)');
    expect(() => loadConfig(['--envfile', 'x'], needed, cwd)).toThrow('the command line is not understood');
  });
});

describe('mergeSettings', () => {
  it.each([
    ['claude_model', { claude_model: 'a', claudeModel: 'b' }, { CLAUDE_MODEL: 'c' }, 'a'],
    ['claude_model', { claudeModel: 'b' }, { CLAUDE_MODEL: 'c' }, 'b'],
    ['claude_model', { claude_model: '' }, { CLAUDE_MODEL: 'c' }, 'c'],
    ['claude_model', {}, {}, undefined],
    ['claude_maxTurns', { maxTurns: 3 }, { CLAUDE_MAX_TURNS: '7' }, 3],
    ['claude_maxTurns', {}, { CLAUDE_MAX_TURNS: '7' }, 7],
    ['claude_maxTurns', {}, { CLAUDE_MAX_TURNS: 'seven' }, 100],
    ['claude_permissionMode', {}, {}, 'bypassPermissions'],
    ['claude_permissionMode', { permissionMode: 'plan' }, { CLAUDE_PERMISSION_MODE: 'x' }, 'plan'],
    ['claude_resume', { resume: false }, { CLAUDE_RESUME: 'true' }, false],
    ['claude_resume', {}, { CLAUDE_RESUME: 'false' }, false],
    ['claude_resume', {}, {}, true],
    ['claude_oauthToken', { claudeOAuthToken: 't' }, {}, 't'],
    ['anything_else', { anything_else: { nested: 1 } }, {}, { nested: 1 }],
  ])('%s of %j and %j is %j', (name, controller, env, expected) => {
    expect(mergeSettings(controller, env as Record<string, string>)[name]).toEqual(expected);
  });
});

describe('childEnvironment', () => {
  it('lets through what an agent needs and never what the harness is', () => {
    const passed = childEnvironment({
      ...needed,
      PATH: '/bin',
      LC_ALL: 'C',
      ANTHROPIC_API_KEY: 'k',
      CLAUDE_CODE_OAUTH_TOKEN: 'o',
      MONGODB_URI: 'mongodb://x',
      JWT_SECRET: 's',
      REINS_STATE_DIR: '/state',
      NODE_OPTIONS: '--inspect',
    });
    expect(passed).toEqual({
      PATH: '/bin',
      LC_ALL: 'C',
      ANTHROPIC_API_KEY: 'k',
      CLAUDE_CODE_OAUTH_TOKEN: 'o',
    });
  });
});
