import { type BridgeName } from '../bridge.port';
import { bridgeScene, type BridgeScene, endScenes, until } from '../testing/bridge-scene';
import { CHANNEL, DiscordStandIn, TOKEN } from '../../../../../test/support/discord-standin';
import { GROUP, TELEGRAM_TOKEN, TelegramStandIn } from '../../../../../test/support/telegram-standin';
import { WorkerBridge } from './worker-bridge';

let discord: DiscordStandIn;
let telegram: TelegramStandIn;

beforeEach(async () => {
  [discord, telegram] = await Promise.all([DiscordStandIn.start(), TelegramStandIn.start()]);
});
afterEach(async () => {
  await endScenes();
  await Promise.all([discord.stop(), telegram.stop()]);
});

jest.setTimeout(120_000);

const DISCORD = { discord_token: TOKEN, discord_channelIds: [CHANNEL] };
const TELEGRAM = { telegram_token: TELEGRAM_TOKEN, telegram_groupIds: [GROUP] };

function scene(settings: object, connectMs = 30_000): BridgeScene {
  return bridgeScene({
    settings: { ...settings },
    env: { DISCORD_API_URL: discord.url, TELEGRAM_API_ROOT: telegram.url },
    createBridge: (name, config) => new WorkerBridge(name, config),
    connectMs,
  });
}

const becomes = ({ state }: BridgeScene, name: BridgeName, wanted: string): Promise<void> =>
  until(`${name} is ${wanted}`, () => state(name)?.state === wanted, 60_000);

describe('a bridge in a thread of its own', () => {
  it('answers on both platforms', async () => {
    const both = scene({ ...DISCORD, ...TELEGRAM });
    await Promise.all([becomes(both, 'discord', 'running'), becomes(both, 'telegram', 'running')]);
    discord.say('from discord');
    telegram.say('from telegram');
    await until('both answers', () => discord.posted.length === 1 && telegram.sent.length === 1);
    expect([discord.contents, telegram.texts]).toEqual([['heard: from discord'], ['heard: from telegram']]);
    expect(discord.typed).toContain(CHANNEL);
    await both.bridges.stop(0);
    expect([discord.connections, telegram.isPolled, telegram.pending]).toEqual([0, false, 0]);
  });

  it('a fault its library does not catch ends the thread alone, and another one takes its place', async () => {
    const one = scene(DISCORD);
    await becomes(one, 'discord', 'running');
    // discord.js 14.28 handles this in a promise that nobody waits for; in the harness's own thread it would be the end.
    discord.sendRaw(JSON.stringify({ op: 0, t: 'MESSAGE_CREATE', s: 1_000, d: null }));
    await until('the fault is told', () => one.lines.some((line) => line.includes('in a way it does not handle')));
    await becomes(one, 'discord', 'running');
    discord.say('still there?');
    await until('the answer', () => discord.posted.length === 1);
    expect(discord.identifies).toBe(2);
  });

  it.each([
    ['a token Discord does not know', 'refuses the token', () => (discord.token = 'another')],
    ['a bot that may not read messages', 'Message Content Intent', () => (discord.refuseIdentify = 4014)],
    ['a token the gateway does not know', 'refuses the token', () => (discord.refuseIdentify = 4004)],
  ])('%s is failed with what to do, and runs once that is done', async (_case, reason, refuse) => {
    refuse();
    const one = scene(DISCORD);
    await becomes(one, 'discord', 'failed');
    expect(one.state('discord')?.reason).toContain(reason);
    discord.token = TOKEN;
    discord.refuseIdentify = undefined;
    await becomes(one, 'discord', 'running');
    expect(one.lines.join('')).not.toContain(TOKEN);
  });

  it('a gateway that is away for long is given up and tried anew until it is back', async () => {
    const one = scene(DISCORD, 10_000);
    await becomes(one, 'discord', 'running');
    // On a busy machine the first start may have been given up too.
    const before = one.lines.length;
    discord.away(true);
    const down = (): boolean => one.lines.slice(before).some((line) => line.includes('bridge down'));
    await until('it is down', down, 60_000);
    expect(one.state('discord')?.state).toBe('retrying');
    discord.away(false);
    await becomes(one, 'discord', 'running');
    discord.say('back?');
    await until('the answer', () => discord.contents.includes('heard: back?'));
  });

  it('what waits for its answer is told when the thread ends', async () => {
    const bridge = new WorkerBridge('telegram', { token: TELEGRAM_TOKEN, groupIds: [GROUP], apiUrl: telegram.url });
    await expect(bridge.send({ channel: GROUP }, 'too early')).rejects.toThrow('not started');
    const nothing = (): void => undefined;
    await bridge.start({ onMessage: nothing, onWaiting: nothing, onRunning: nothing, onLost: nothing, log: nothing });
    telegram.refuse.push({ method: 'sendMessage', status: 429, description: 'later', parameters: { retry_after: 50 } });
    const said = bridge.send({ channel: GROUP }, 'hello');
    const refused = expect(said).rejects.toThrow();
    await until('it is asked to wait', () => telegram.calls.includes('sendMessage'));
    await bridge.stop();
    await refused;
  });
});
