import { mergeSettings } from '../config/settings';
import { bridgeConfigs, withoutBridges } from './bridge-settings';

const configsOf = (settings: Record<string, unknown>, env: Record<string, string> = {}) =>
  bridgeConfigs(mergeSettings(settings, env), env);

describe('bridgeConfigs', () => {
  const flat = {
    discord_token: 'dt',
    discord_channelIds: ['1', 2],
    discord_botId: 'b',
    telegram_token: 'tt',
    telegram_groupIds: '-1, -2',
    telegram_botUsername: '@bot',
  };

  it('is what flat keys, nested keys and the environment say, whichever names it', () => {
    const nested = {
      discord: { token: 'dt', channelIds: ['1', '2'], botId: 'b' },
      telegram: { token: 'tt', groupIds: ['-1', '-2'], botUsername: 'bot' },
    };
    const env = {
      DISCORD_TOKEN: 'dt',
      DISCORD_CHANNEL_ID: '1,2',
      DISCORD_BOT_ID: 'b',
      TELEGRAM_BOT_TOKEN: 'tt',
      TELEGRAM_GROUP_ID: '-1,-2',
      TELEGRAM_BOT_USERNAME: 'bot',
    };
    const expected = {
      discord: { token: 'dt', channelIds: ['1', '2'], botId: 'b', respondTo: 'all' },
      telegram: { token: 'tt', groupIds: ['-1', '-2'], botUsername: 'bot' },
    };
    expect([configsOf(flat), configsOf(nested), configsOf({}, env)]).toEqual([expected, expected, expected]);
  });

  it.each([
    [{ discord: { respondTo: 'mentions' } }, { DISCORD_RESPOND_TO: 'all' }, 'mentions'],
    [{ discord_respondTo: 'mentions' }, {}, 'mentions'],
    [{}, { DISCORD_RESPOND_TO: 'mentions' }, 'mentions'],
    [{ discord: { respondTo: 'nobody' } }, {}, 'all'],
  ])('answers by %j and %j: %s', (more, env, expected) => {
    const settings = { discord_token: 'dt', discord_channelIds: ['1'], ...more };
    expect(configsOf(settings, env as Record<string, string>).discord?.respondTo).toBe(expected);
  });

  it('has other addresses where the environment names them, without a slash at the end', () => {
    const env = { DISCORD_API_URL: 'http://127.0.0.1:1/api/', TELEGRAM_API_ROOT: 'http://127.0.0.1:2/' };
    expect(configsOf(flat, env)).toMatchObject({
      discord: { apiUrl: 'http://127.0.0.1:1/api' },
      telegram: { apiUrl: 'http://127.0.0.1:2' },
    });
  });

  it.each([{}, { discord: null, telegram: 7 }, { discord_token: '', telegram: { token: '', groupIds: ['1'] } }])(
    'is nothing without a token: %j',
    (settings) => expect(configsOf(settings)).toEqual({}),
  );

  it('withoutBridges leaves nothing of them and everything else', () => {
    expect(withoutBridges({ ...flat, discord: {}, telegram: {}, discordant: 1, claude_model: 'm' })).toEqual({
      discordant: 1,
      claude_model: 'm',
    });
  });
});
