import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, Secrets } from '../log/logger';
import { childEnvironment } from './child-env';
import { ConfigError, loadConfig } from './load-config';
import { localInstruction } from './local-configuration';
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
      maxSessions: 4,
      maxLanes: 8,
      drainMs: 20_000,
      spotNotice: { url: undefined, tokenUrl: undefined, file: undefined, pollMs: 5_000 },
      connectWithinMs: 300_000,
      logLevel: 'info',
      enabled: true,
      managed: false,
      httpTimeoutMs: 10_000,
      retryMs: 300_000,
      instructionFile: join(cwd, 'instruction.md'),
      healthHost: '127.0.0.1',
      healthPort: undefined,
      alertUrl: undefined,
    });
  });

  it.each([
    ['off', 'off'],
    ['OFF', 'off'],
    ['0', 0],
    ['9464', 9464],
  ])('takes %s as REINS_HEALTH_PORT', (text, port) => {
    expect(loadConfig([], { ...needed, REINS_HEALTH_PORT: text }, cwd).healthPort).toBe(port);
  });

  it.each([
    ['true', true],
    ['1', true],
    ['False', false],
    ['0', false],
  ])('takes %s as REINS_MANAGED', (text, managed) => {
    expect(loadConfig([], { ...needed, REINS_MANAGED: text }, cwd).managed).toBe(managed);
  });

  it('needs no controller and no credentials with AIWM_ENABLED=false', () => {
    expect(loadConfig([], { AIWM_ENABLED: 'false', AIWM_AGENT_ID: 'of no use' }, cwd)).toMatchObject({
      enabled: false,
      baseUrl: '',
      agentId: '',
      agentSecret: '',
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
    ['REINS_MAX_SESSIONS', '-1', 'REINS_MAX_SESSIONS must be at least 0: it limits how many sessions'],
    ['REINS_MAX_LANES', 'many', 'REINS_MAX_LANES must be a number: it limits how many turns'],
    ['REINS_DRAIN_SECONDS', '-1', 'REINS_DRAIN_SECONDS must be at least 0'],
    ['AIWM_ENABLED', 'perhaps', 'AIWM_ENABLED must be true or false'],
    ['AIWM_TIMEOUT_MS', '5', 'AIWM_TIMEOUT_MS must be at least 100'],
    ['AIWM_TIMEOUT_MS', '1000.5', 'AIWM_TIMEOUT_MS must be a whole number'],
    ['AIWM_TIMEOUT_MS', '600001', 'AIWM_TIMEOUT_MS must be at most 600000: it limits how long'],
    ['AIWM_RETRY_SECONDS', '0', 'AIWM_RETRY_SECONDS must be at least 1'],
    ['REINS_HEALTH_PORT', 'none', 'REINS_HEALTH_PORT must be off or a port'],
    ['REINS_HEALTH_PORT', '65536', 'REINS_HEALTH_PORT must be off or a port from 0 to 65535'],
    ['REINS_ALERT_URL', 'me@example.org', 'REINS_ALERT_URL must be an http or https address: nobody would hear'],
    ['REINS_MANAGED', 'maybe', 'REINS_MANAGED must be true or false'],
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
    ['claude_resume', { claude_resume: 'false' }, {}, false],
    ['claude_maxTurns', { claude_maxTurns: '12' }, {}, 12],
    ['anything_else', { anything_else: { nested: 1 } }, {}, { nested: 1 }],
  ])('%s of %j and %j is %j', (name, controller, env, expected) => {
    expect(mergeSettings(controller, env as Record<string, string>)[name]).toEqual(expected);
  });
});

describe('mergeSettings, platforms', () => {
  const env = {
    DISCORD_TOKEN: 'env-discord',
    DISCORD_CHANNEL_ID: '1, 2,,3 ',
    DISCORD_BOT_ID: 'env-bot',
    TELEGRAM_BOT_TOKEN: 'env-telegram',
    TELEGRAM_GROUP_ID: '-100',
    TELEGRAM_BOT_USERNAME: 'env_bot',
  };

  it('come from the environment in one form', () => {
    expect(mergeSettings({}, env)).toMatchObject({
      discord: { token: 'env-discord', channelIds: ['1', '2', '3'], botId: 'env-bot' },
      telegram: { token: 'env-telegram', groupIds: ['-100'], botUsername: 'env_bot' },
    });
  });

  it('are absent where nothing names them', () => {
    const merged = mergeSettings({ discord_token: '' }, {});
    expect(merged).not.toHaveProperty('discord');
    expect(merged).not.toHaveProperty('telegram');
  });

  it.each([
    ['the flat key of the controller', { discord_token: 'flat', discord: { token: 'nested' } }, 'flat'],
    ['the nested key of the controller', { discord: { token: 'nested' } }, 'nested'],
    ['the environment where both are empty', { discord_token: '', discord: { token: null } }, 'env-discord'],
    ['the environment where the controller is silent', {}, 'env-discord'],
    ['the environment where the platform is no object', { discord: 'on' }, 'env-discord'],
  ])('take the token from %s', (_which, controller, token) => {
    expect(mergeSettings(controller, env).discord).toMatchObject({ token });
  });

  it('take each field on its own, whichever way a list is written', () => {
    const controller = { discord_channelIds: [7, '8'], telegram: { groupIds: '-1,-2', botUsername: 'theirs' } };
    expect(mergeSettings(controller, env)).toMatchObject({
      discord: { token: 'env-discord', channelIds: ['7', '8'], botId: 'env-bot' },
      telegram: { token: 'env-telegram', groupIds: ['-1', '-2'], botUsername: 'theirs' },
    });
  });

  it('keep what else the controller says of them, and name no field nobody set', () => {
    expect(mergeSettings({ discord: { token: 't', respondTo: 'mentions' } }, {}).discord).toEqual({
      token: 't',
      respondTo: 'mentions',
      channelIds: [],
    });
  });
});

describe('localInstruction', () => {
  const file = join(cwd, 'instruction.md');
  const lines: string[] = [];
  const log = createLogger({ level: 'info', secrets: new Secrets(), write: (line) => lines.push(line) });

  it('is the text of the file', () => {
    writeFileSync(file, 'Be kind.\n');
    expect(localInstruction(file, log)).toBe('Be kind.\n');
  });

  it('is empty where there is no file, which is no fault', () => {
    expect(localInstruction(join(cwd, 'none.md'), log)).toBe('');
    expect(lines).toEqual([]);
  });

  it('is empty and says why where the file cannot be read or is no instruction', () => {
    expect(localInstruction(cwd, log)).toBe('');
    expect(lines.at(-1)).toContain('EISDIR');
    writeFileSync(file, 'x'.repeat(1024 * 1024 + 1));
    expect(localInstruction(file, log)).toBe('');
    expect(lines.at(-1)).toContain('more than 1048576 bytes');
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
