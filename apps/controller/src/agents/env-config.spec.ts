import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envConfig, type EnvConfigInput, envValue } from './env-config';
import { envSettingIssues } from './env-settings';

const INPUT: EnvConfigInput = {
  baseUrl: 'https://reins.example/dev',
  agentId: '693f3a2c8d1e5b4a7c9f1d3e',
  secret: 'a1b2',
  name: 'Support',
  settings: {},
};

const HEAD = `# ===== AIWM Integration =====
AIWM_ENABLED=true
AIWM_BASE_URL=https://reins.example/dev
AIWM_AGENT_ID=693f3a2c8d1e5b4a7c9f1d3e
AIWM_AGENT_SECRET=a1b2

# ===== Agent Info =====
AGENT_NAME=Support

# ===== Claude Code SDK Configuration =====
`;

describe('envConfig', () => {
  it('has the defaults and examples of an agent without settings', () => {
    expect(envConfig(INPUT)).toBe(`${HEAD}CLAUDE_MODEL=claude-3-5-haiku-latest
CLAUDE_MAX_TURNS=100
CLAUDE_PERMISSION_MODE=bypassPermissions
CLAUDE_RESUME=true

# ===== Platform Configuration (Optional) =====
# Configure your platform settings here
# DISCORD_TOKEN=your_discord_token
# DISCORD_CHANNEL_ID=your_channel_id
# TELEGRAM_BOT_TOKEN=your_telegram_token
# TELEGRAM_GROUP_ID=your_group_id
`);
  });

  it('takes flat settings before nested ones', () => {
    const settings = {
      claude_model: 'opus',
      claudeModel: 'haiku',
      maxTurns: 7,
      claude_permissionMode: '',
      permissionMode: 'requirePermissions',
      claude_resume: false,
      resume: true,
      claudeOAuthToken: 'oauth',
      discord_token: 'd',
      discord: { token: 'x', channelIds: ['1', '2'], botId: 'bot' },
      telegram_groupIds: ['-100'],
      telegram: { token: 't', botUsername: 'my_bot' },
    };
    expect(envConfig({ ...INPUT, settings })).toBe(`${HEAD}CLAUDE_MODEL=opus
CLAUDE_MAX_TURNS=7
CLAUDE_PERMISSION_MODE=requirePermissions
CLAUDE_RESUME=false
CLAUDE_CODE_OAUTH_TOKEN=oauth

# ===== Platform Configuration (Optional) =====
# Configure your platform settings here
DISCORD_TOKEN=d
DISCORD_CHANNEL_ID=1,2
DISCORD_BOT_ID=bot
TELEGRAM_BOT_TOKEN=t
TELEGRAM_GROUP_ID=-100
TELEGRAM_BOT_USERNAME=my_bot
`);
  });

  it.each([
    [{ resume: false }, 'false'],
    [{ resume: 0 }, 'true'],
    [{ claude_resume: true, resume: false }, 'true'],
  ])('reads %j as CLAUDE_RESUME=%s', (settings, expected) => {
    expect(envConfig({ ...INPUT, settings })).toContain(`\nCLAUDE_RESUME=${expected}\n`);
  });
});

describe('envValue', () => {
  it.each([
    ['plain-1_2.3/x:y@z,a+b=', 'plain-1_2.3/x:y@z,a+b='],
    ['', ''],
    ['Customer Support Agent', '"Customer Support Agent"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['$(id) `id` $HOME', '"\\$(id) \\`id\\` \\$HOME"'],
    ['back\\slash', '"back\\\\slash"'],
    ["it's # not a comment", '"it\'s # not a comment"'],
    ['~', '"~"'],
  ])('writes %j as %s', (value, line) => {
    expect(envValue(value)).toBe(line);
  });

  it.each(['a\nb', 'a\rb', 'a\0b', 'a\u2028b'])('refuses %j', (value) => {
    expect(() => envValue(value)).toThrow('line breaks');
  });

  it.each([
    '$(touch pwned)',
    '`touch pwned`',
    '"; touch pwned; "',
    "'; touch pwned '",
    '\\"; touch pwned #',
    'a & touch pwned',
    '!!',
  ])('cannot make a shell that sources it run %j', (name) => {
    const folder = mkdtempSync(join(tmpdir(), 'reins-env-'));
    try {
      writeFileSync(join(folder, '.env'), envConfig({ ...INPUT, name }));
      const script = 'set -eu; . ./.env; printf %s "$AGENT_NAME"';
      expect(execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' })).toBe(name);
      expect(readdirSync(folder)).toEqual(['.env']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('envSettingIssues', () => {
  it.each([
    [{ claude_model: 'a\nEVIL=1' }, 'settings.claude_model'],
    [{ discord: { channelIds: ['1', 'a\rb'] } }, 'settings.discord.channelIds'],
    [{ telegram_token: { nested: true } }, 'settings.telegram_token'],
    [{ discord_channelIds: [['1']] }, 'settings.discord_channelIds'],
  ])('names the setting of %j', (settings, path) => {
    expect(envSettingIssues(settings)).toEqual([expect.objectContaining({ path })]);
  });

  it('lets everything else be', () => {
    expect(envSettingIssues({ custom: 'a\nb', discord: 'x', claude_model: null, maxTurns: 5, resume: false })).toEqual(
      [],
    );
  });
});
