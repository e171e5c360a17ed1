import { maskSecrets, unmaskSecrets } from './mask-secrets';

const SETTINGS = {
  claude_model: 'haiku',
  claude_oauthToken: 'oauth-1',
  claudeOAuthToken: 'oauth-2',
  maxTurns: 100,
  max_tokens: 4096,
  maxTokens: '4096',
  auth_roles: ['agent'],
  discord: { token: 'd-1', channelIds: ['1', '2'], botId: 'b' },
  discord_token: 'd-2',
  nested: { list: [{ apiKey: 'k', url: 'https://user:pw@host/x' }], api_keys: ['a', 'b'] },
  env: { OPENAI_API_KEY: 'sk', SERVICE_PASSWORD: 'p', EMPTY_SECRET: '' },
  credentials: { user: 'u', deep: { value: 'v' } },
  resume: true,
  nothing: null,
};

describe('maskSecrets', () => {
  it('masks every secret and nothing else', () => {
    expect(maskSecrets(SETTINGS)).toEqual({
      ...SETTINGS,
      claude_oauthToken: '***',
      claudeOAuthToken: '***',
      discord: { token: '***', channelIds: ['1', '2'], botId: 'b' },
      discord_token: '***',
      nested: { list: [{ apiKey: '***', url: 'https://***@host/x' }], api_keys: ['***', '***'] },
      env: { OPENAI_API_KEY: '***', SERVICE_PASSWORD: '***', EMPTY_SECRET: '' },
      credentials: { user: '***', deep: { value: '***' } },
    });
  });
});

describe('unmaskSecrets', () => {
  it('gives back what was shown and written back unchanged', () => {
    expect(unmaskSecrets(maskSecrets(SETTINGS), SETTINGS)).toEqual(SETTINGS);
  });

  it('takes new values, drops absent ones and keeps the rest', () => {
    const edited = { claude_model: 'opus', discord: { token: '***', channelIds: ['3'] }, discord_token: 'new' };
    expect(unmaskSecrets(edited, SETTINGS)).toEqual({
      claude_model: 'opus',
      discord: { token: 'd-1', channelIds: ['3'] },
      discord_token: 'new',
    });
  });

  it('cannot be used to read a secret through another key', () => {
    expect(unmaskSecrets({ claude_model: '***', botName: '***' }, SETTINGS)).toEqual({
      claude_model: '***',
      botName: '***',
    });
  });
});
