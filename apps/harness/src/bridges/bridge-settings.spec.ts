import { bridgeConfigs, withoutBridges } from './bridge-settings';

describe('bridgeConfigs', () => {
  const flat = {
    discord_token: 'dt',
    discord_channelIds: ['1', 2],
    discord_botId: 'b',
    telegram_token: 'tt',
    telegram_groupIds: '-1, -2,,-1',
    telegram_botUsername: '@bot',
  };
  const expected = {
    discord: { token: 'dt', channelIds: ['1', '2'], botId: 'b', respondTo: 'all' },
    telegram: { token: 'tt', groupIds: ['-1', '-2'], botUsername: 'bot' },
  };

  it('reads flat keys, nested keys and the environment alike', () => {
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
    expect([bridgeConfigs(flat, {}), bridgeConfigs(nested, {}), bridgeConfigs({}, env)]).toEqual([
      expected,
      expected,
      expected,
    ]);
  });

  it('prefers the flat key, then the nested one, then the environment, each for itself', () => {
    const settings = { discord_token: 'flat', discord: { token: 'nested', channelIds: ['7'] } };
    const env = { DISCORD_TOKEN: 'env', DISCORD_CHANNEL_ID: '8', DISCORD_BOT_ID: '9' };
    expect(bridgeConfigs(settings, env).discord).toEqual({
      token: 'flat',
      channelIds: ['7'],
      botId: '9',
      respondTo: 'all',
    });
  });

  it('has other addresses where the environment names them, without a slash at the end', () => {
    const env = { DISCORD_API_URL: 'http://127.0.0.1:1/api/', TELEGRAM_API_ROOT: 'http://127.0.0.1:2/' };
    expect(bridgeConfigs(flat, env)).toMatchObject({
      discord: { apiUrl: 'http://127.0.0.1:1/api' },
      telegram: { apiUrl: 'http://127.0.0.1:2' },
    });
  });

  it.each([{}, { discord: null, telegram: 7 }, { discord_token: '', telegram: { token: ' ', groupIds: ['1'] } }])(
    'is nothing without a token: %j',
    (settings) => expect(bridgeConfigs(settings, {})).toEqual({}),
  );

  it('withoutBridges leaves nothing of them and everything else', () => {
    expect(withoutBridges({ ...flat, discord: {}, telegram: {}, discordant: 1, claude_model: 'm' })).toEqual({
      discordant: 1,
      claude_model: 'm',
    });
  });
});
