import { type DriverContext } from '../driver.port';
import { claudeArguments } from './arguments';
import { claudeEnvironment } from './environment';
import { type ClaudeOptions, claudeOptions } from './options';

const session = (model?: string): DriverContext['session'] => ({
  id: 'sess-1',
  workerId: 'w',
  cliType: 'claude-code',
  modelConfig: model === undefined ? null : { model },
  repository: null,
  workerRepo: null,
  resume: null,
  limits: { turnTimeoutMs: 1, turnIdleMs: 1, cpuMs: 1, wallMs: 1, memoryBytes: 1 },
});

const plain: ClaudeOptions = {
  command: 'claude',
  model: undefined,
  permissionMode: 'bypassPermissions',
  maxTurns: undefined,
  resume: true,
  oauthToken: undefined,
};

describe('claudeOptions', () => {
  it('has defaults for everything', () => {
    expect(claudeOptions({ settings: {}, env: {}, session: session() })).toEqual(plain);
  });

  it.each([
    ['the session', 'from-session', { claude_model: 'a', claudeModel: 'b' }, { CLAUDE_MODEL: 'c' }, 'from-session'],
    ['the new setting', undefined, { claude_model: 'a', claudeModel: 'b' }, { CLAUDE_MODEL: 'c' }, 'a'],
    ['the old setting', undefined, { claudeModel: 'b' }, { CLAUDE_MODEL: 'c' }, 'b'],
    ['the environment', undefined, { claudeModel: '' }, { CLAUDE_MODEL: 'c' }, 'c'],
  ])('takes the model from %s', (_, own, settings, env, model) => {
    expect(claudeOptions({ settings, env, session: session(own) }).model).toBe(model);
  });

  it('understands the other settings by both names, and the environment', () => {
    const settings = { maxTurns: 7, permissionMode: 'requirePermissions', resume: false, claudeOAuthToken: 'token' };
    const expected = { ...plain, maxTurns: 7, permissionMode: 'manual', resume: false, oauthToken: 'token' };
    expect(claudeOptions({ settings, env: {}, session: session() })).toEqual(expected);
    const env = {
      CLAUDE_PATH: '/bin/claude',
      CLAUDE_MAX_TURNS: '3',
      CLAUDE_PERMISSION_MODE: 'plan',
      CLAUDE_RESUME: 'false',
      CLAUDE_CODE_OAUTH_TOKEN: 't',
    };
    expect(claudeOptions({ settings: {}, env, session: session() })).toEqual({
      command: '/bin/claude',
      model: undefined,
      permissionMode: 'plan',
      maxTurns: 3,
      resume: false,
      oauthToken: 't',
    });
  });

  it.each([0, -1, 1.5, 'many', null])('ignores %p as a number of turns', (maxTurns) => {
    expect(claudeOptions({ settings: { maxTurns }, env: {}, session: session() }).maxTurns).toBeUndefined();
  });
});

describe('claudeArguments', () => {
  it('always streams both ways', () => {
    const nothing = { allowedTools: [], mcpServers: [], mcpConfigFile: undefined, resumeId: undefined };
    const args = claudeArguments({ options: plain, ...nothing });
    expect(args.join(' ')).toBe(
      '-p --input-format stream-json --output-format stream-json --verbose --include-partial-messages ' +
        '--replay-user-messages --permission-mode bypassPermissions',
    );
  });

  it('adds what is set, each value inside its own argument', () => {
    const args = claudeArguments({
      options: { ...plain, model: '--sly', maxTurns: 5 },
      allowedTools: ['Bash', 'Edit', 'my server'],
      mcpServers: ['my server', 'Builtin'],
      mcpConfigFile: '/s/mcp.json',
      resumeId: 'abc',
    });
    expect(args.slice(-6)).toEqual([
      '--model=--sly',
      '--max-turns',
      '5',
      '--allowedTools=Bash,Edit,mcp__my_server,mcp__Builtin',
      '--mcp-config=/s/mcp.json',
      '--resume=abc',
    ]);
  });
});

describe('claudeEnvironment', () => {
  const context = { env: { PATH: '/bin' }, stateDir: '/state' };

  it('keeps the CLI quiet and in its own folder, and inherits nothing', () => {
    expect(claudeEnvironment(context, plain, false)).toEqual({
      PATH: '/bin',
      CLAUDE_CONFIG_DIR: '/state/claude',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      DISABLE_TELEMETRY: '1',
    });
  });

  it('says sandbox as root, and passes the token of the settings', () => {
    const env = claudeEnvironment(context, { ...plain, oauthToken: 'token' }, true);
    expect(env).toMatchObject({ IS_SANDBOX: '1', CLAUDE_CODE_OAUTH_TOKEN: 'token' });
  });
});
