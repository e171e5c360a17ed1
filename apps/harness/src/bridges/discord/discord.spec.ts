import { bridgeScene, type BridgeScene, endScenes, until } from '../testing/bridge-scene';
import { CHANNEL, DiscordStandIn, OTHER_CHANNEL, THREAD, TOKEN } from '../../../../../test/support/discord-standin';

let discord: DiscordStandIn;

beforeEach(async () => {
  discord = await DiscordStandIn.start();
});
afterEach(async () => {
  await endScenes();
  await discord.stop();
});

jest.setTimeout(60_000);

async function running(more: object = {}): Promise<BridgeScene> {
  const scene = bridgeScene({
    settings: { discord: { token: TOKEN, channelIds: [CHANNEL], ...more } },
    env: { DISCORD_API_URL: discord.url },
  });
  await until('the bot is in', () => scene.state('discord')?.state === 'running');
  return scene;
}

/** Whatever was not to be answered would have been answered before this is. */
async function nothingBut(content: string): Promise<void> {
  discord.say(content);
  await until('an answer', () => discord.posted.length > 0);
  expect(discord.contents).toEqual([`heard: ${content}`]);
}

describe('the Discord bridge', () => {
  it('answers a message of a listed channel as a reply, shows that it writes, and alarms nobody', async () => {
    const { agent } = await running();
    agent.play = async (_prompt, sink) => {
      await until('the sign that it writes', () => discord.typed.length > 0);
      await sink.emit('text', { text: 'hello @everyone' });
      return {};
    };
    const asked = discord.say('good morning');
    await until('the answer', () => discord.posted.length === 1);
    expect(discord.posted).toEqual([
      {
        channel: CHANNEL,
        content: 'hello @everyone',
        allowed_mentions: { parse: [], replied_user: false },
        message_reference: { message_id: asked, fail_if_not_exists: false },
      },
    ]);
    expect(discord.typed[0]).toBe(CHANNEL);
  });

  it('answers nothing in a channel that is not listed', async () => {
    await running();
    discord.say('psst', OTHER_CHANNEL);
    await nothingBut('aloud');
  });

  it('C16 ignores its own messages, other bots and webhooks', async () => {
    await running({ botId: '3000000000000000009' });
    for (const author of ['itself', 'bot', 'webhook'] as const) discord.say('echo', CHANNEL, { author });
    await nothingBut('a person');
    // The stand-in has told the bot of its own answer by now, as Discord does.
    await nothingButOneMore('again');
  });

  async function nothingButOneMore(content: string): Promise<void> {
    discord.say(content);
    await until('the next answer', () => discord.posted.length > 1);
    expect(discord.contents).toEqual(['heard: a person', `heard: ${content}`]);
  }

  it('answers only who names it where the settings say so, and takes its name out', async () => {
    await running({ respondTo: 'mentions' });
    discord.say('not for the bot');
    discord.say('<@1000000000000000001> what is new?', CHANNEL, { mentions: true });
    await until('the answer', () => discord.posted.length > 0);
    expect(discord.contents).toEqual(['heard: what is new?']);
  });

  it('answers in the threads of a listed channel, each a conversation of its own', async () => {
    const { agent } = await running();
    discord.say('in the channel');
    discord.say('in the thread', THREAD);
    await until('both answers', () => discord.posted.length === 2);
    expect(new Set(discord.posted.map(({ channel, content }) => `${channel} ${content}`))).toEqual(
      new Set([`${CHANNEL} heard: in the channel`, `${THREAD} heard: in the thread`]),
    );
    const folders = agent.contexts.map(({ workspace }) => workspace.split('/').pop()).sort();
    expect(folders).toEqual([`discord-${CHANNEL}`, `discord-${CHANNEL}-${THREAD}`]);
  });

  it('says of attachments that it cannot read them', async () => {
    await running();
    discord.say('what is this?', CHANNEL, { attachments: 1 });
    await until('the answer', () => discord.posted.length === 1);
    expect(discord.contents[0]).toMatch(/^heard: what is this\?\n\n.*text only/);
    discord.say('', CHANNEL, { attachments: 2 });
    await until('the second answer', () => discord.posted.length === 2);
    expect(discord.contents[1]).toBe('Sorry, I can read text only, no attachments.');
  });

  it('splits a long answer at 2000 characters with its code blocks whole', async () => {
    const { agent } = await running();
    agent.play = async (_prompt, sink) => {
      const code = Array.from({ length: 100 }, (_, line) => `const value${line} = 'some text that is rather long';`);
      await sink.emit('text', { text: `Here:\n\`\`\`ts\n${code.join('\n')}\n\`\`\`\nThat is all.` });
      return {};
    };
    discord.say('code please');
    await until('the end of the answer', () => discord.contents.at(-1)?.endsWith('That is all.') === true);
    expect(discord.posted.length).toBeGreaterThan(2);
    for (const content of discord.contents) {
      expect(content.length).toBeLessThanOrEqual(2000);
      expect(content.split('```').length % 2).toBe(1);
    }
    expect(discord.posted.filter(({ message_reference }) => message_reference !== undefined)).toHaveLength(1);
  });

  it('goes on after the gateway dropped it, also with what was said meanwhile', async () => {
    const { lines } = await running();
    discord.drop();
    discord.say('said while it was away');
    await until('the answer', () => discord.posted.length === 1);
    expect(discord.resumes).toBe(1);
    expect(lines.join('')).toContain('lost its connection');
    await nothingButThese(['heard: said while it was away']);
  });

  async function nothingButThese(contents: string[]): Promise<void> {
    discord.say('still there?');
    await until('one more answer', () => discord.posted.length > contents.length);
    expect(discord.contents).toEqual([...contents, 'heard: still there?']);
  }

  it('waits as long as Discord says when it is too quick', async () => {
    await running();
    discord.refusePosts.push({
      status: 429,
      body: { message: 'You are being rate limited.', retry_after: 0.3, global: false },
      headers: {
        'Retry-After': '0.3',
        'X-RateLimit-Limit': '5',
        'X-RateLimit-Remaining': '0',
        'X-RateLimit-Reset-After': '0.3',
        'X-RateLimit-Bucket': 'b',
      },
    });
    await nothingBut('quick');
  });

  it('does not repeat what Discord refuses, and answers the next message', async () => {
    const { lines } = await running();
    discord.refusePosts.push({ status: 403, body: { message: 'Missing Permissions', code: 50013 } });
    discord.say('first');
    await until('the refusal', () => lines.some((line) => line.includes('Missing Permissions')));
    await nothingBut('second');
  });

  it('leaves when it is stopped', async () => {
    const { bridges, state } = await running();
    await bridges.stop(0);
    await until('no connection', () => discord.connections === 0);
    expect(state('discord')?.state).toBe('off');
  });
});
