import { bridgeScene, type BridgeScene, endScenes, until } from '../testing/bridge-scene';
import { GROUP, OTHER_GROUP, TELEGRAM_TOKEN, TelegramStandIn } from '../../../../../test/support/telegram-standin';

let telegram: TelegramStandIn;

beforeEach(async () => {
  telegram = await TelegramStandIn.start();
});
afterEach(async () => {
  await endScenes();
  await telegram.stop();
});

jest.setTimeout(60_000);

async function running(more: object = {}): Promise<BridgeScene> {
  const scene = bridgeScene({
    settings: { telegram: { token: TELEGRAM_TOKEN, groupIds: [GROUP], ...more } },
    env: { TELEGRAM_API_ROOT: telegram.url },
  });
  await until('the bot asks for messages', () => telegram.isPolled);
  await until('the bot is in', () => scene.state('telegram')?.state === 'running');
  return scene;
}

/** Whatever was not to be answered would have been answered before this is. */
async function nothingBut(text: string): Promise<void> {
  telegram.say(text);
  await until('an answer', () => telegram.sent.length > 0);
  expect(telegram.texts).toEqual([`heard: ${text}`]);
}

describe('the Telegram bridge', () => {
  it('answers a message of a listed group as plain text in reply, and shows that it writes', async () => {
    const { agent } = await running();
    agent.play = async (_prompt, sink) => {
      await until('the sign that it writes', () => telegram.typed.length > 0);
      await sink.emit('text', { text: 'a *star and [a bracket' });
      return {};
    };
    const asked = telegram.say('good morning');
    await until('the answer', () => telegram.sent.length === 1);
    expect(telegram.sent).toEqual([
      {
        chat_id: GROUP,
        text: 'a *star and [a bracket',
        link_preview_options: { is_disabled: true },
        reply_parameters: { message_id: asked, allow_sending_without_reply: true },
      },
    ]);
    expect(telegram.typed[0]).toBe(GROUP);
  });

  it('answers nothing in a group that is not listed, nor in private', async () => {
    await running();
    telegram.say('psst', OTHER_GROUP);
    telegram.say('psst', GROUP, { chat: { id: Number(GROUP), type: 'private' } });
    await nothingBut('aloud');
  });

  it('C16 ignores other bots and what nobody wrote', async () => {
    await running();
    telegram.say('beep', GROUP, { from: { id: 8, is_bot: true, first_name: 'Other' } });
    telegram.say(undefined, GROUP, { new_chat_members: [{ id: 9, is_bot: false, first_name: 'New' }] });
    telegram.say('signed by the group', GROUP, { from: undefined });
    await nothingBut('a person');
  });

  it('takes its own name out, in whatever case, and no other', async () => {
    await running({ botUsername: '@Second_Name' });
    telegram.say('@Helper_Bot ask @helper_bot2 about @second_name');
    await until('the answer', () => telegram.sent.length === 1);
    expect(telegram.texts).toEqual(['heard: ask @helper_bot2 about']);
  });

  it('answers in the topic that was asked in, each a conversation of its own', async () => {
    const { agent } = await running();
    telegram.say('general');
    telegram.say('about birds', GROUP, { is_topic_message: true, message_thread_id: 77 });
    await until('both answers', () => telegram.sent.length === 2);
    const topicOf = (text: string): number | undefined =>
      telegram.sent.find((sent) => sent.text === text)?.message_thread_id;
    expect([topicOf('heard: general'), topicOf('heard: about birds')]).toEqual([undefined, 77]);
    const folders = agent.contexts.map(({ workspace }) => workspace.split('/').pop()).sort();
    expect(folders).toEqual([`telegram-${GROUP}`, `telegram-${GROUP}-77`]);
  });

  it('says of attachments that it cannot read them', async () => {
    await running();
    telegram.say(undefined, GROUP, { photo: [{}], caption: 'what is this?' });
    await until('the answer', () => telegram.sent.length === 1);
    expect(telegram.texts[0]).toMatch(/^heard: what is this\?\n\n.*text only/);
    telegram.say(undefined, GROUP, { voice: {} });
    await until('the second answer', () => telegram.sent.length === 2);
    expect(telegram.texts[1]).toBe('Sorry, I can read text only, no attachments.');
  });

  it('splits a long answer at 4096 characters', async () => {
    const { agent } = await running();
    agent.play = async (_prompt, sink) => {
      await sink.emit('text', { text: `${'many words '.repeat(900)}the end` });
      return {};
    };
    telegram.say('tell me everything');
    await until('the end of the answer', () => telegram.texts.at(-1)?.endsWith('the end') === true);
    expect(telegram.sent).toHaveLength(3);
    expect(Math.max(...telegram.texts.map(({ length }) => length))).toBeLessThanOrEqual(4096);
  });

  it('waits as long as Telegram says when it is too quick', async () => {
    await running();
    telegram.refuse.push({
      method: 'sendMessage',
      status: 429,
      description: 'Too Many Requests: retry after 1',
      parameters: { retry_after: 1 },
    });
    await nothingBut('quick');
    expect(telegram.calls.filter((method) => method === 'sendMessage')).toHaveLength(2);
  });

  it('goes on when the connection was cut, and answers nothing twice', async () => {
    const { state } = await running();
    telegram.say('before');
    await until('the first answer', () => telegram.sent.length === 1);
    telegram.drop();
    telegram.say('said while it was away');
    await until('the second answer', () => telegram.sent.length === 2);
    telegram.say('after');
    await until('the third answer', () => telegram.sent.length === 3);
    expect(telegram.texts).toEqual(['heard: before', 'heard: said while it was away', 'heard: after']);
    expect(state('telegram')).toEqual({ name: 'telegram', state: 'running' });
  });

  it('goes on after another program took its messages for a while', async () => {
    const { state } = await running();
    telegram.refuse.push({ method: 'getUpdates', status: 409, description: 'Conflict' });
    telegram.say('wake the poll');
    await until('it is asked again', () => telegram.sent.length === 1 && state('telegram')?.state === 'running');
    telegram.say('after');
    await until('the next answer', () => telegram.sent.length === 2);
    expect(telegram.texts).toEqual(['heard: wake the poll', 'heard: after']);
  });

  it('does not repeat what Telegram refuses, and answers the next message', async () => {
    const { lines } = await running();
    telegram.refuse.push({ method: 'sendMessage', status: 403, description: 'Forbidden: bot was kicked' });
    telegram.say('first');
    await until('the refusal', () => lines.some((line) => line.includes('bot was kicked')));
    await nothingBut('second');
  });

  it('a message that was handed on does not come again after a stop', async () => {
    const first = await running();
    telegram.say('once');
    await until('the answer', () => telegram.sent.length === 1);
    await first.bridges.stop(0);
    expect(telegram.pending).toBe(0);
    expect(telegram.isPolled).toBe(false);
  });

  it('never says its token, in a log or in its state', async () => {
    const { url } = telegram;
    await telegram.stop();
    const { lines, state } = bridgeScene({
      settings: { telegram: { token: TELEGRAM_TOKEN, groupIds: [GROUP] } },
      env: { TELEGRAM_API_ROOT: url },
    });
    await until('the failure', () => state('telegram')?.state === 'retrying');
    expect(state('telegram')?.reason).toBe('Telegram cannot be reached (ECONNREFUSED)');
    expect(lines.join('')).not.toContain(TELEGRAM_TOKEN);
    telegram = await TelegramStandIn.start();
  });
});
