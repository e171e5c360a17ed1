import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadDriver } from '../drivers/registry';
import { type Bridge } from './bridge.port';
import { bridgeScene, type BridgeScene, endScenes, until } from './testing/bridge-scene';
import { untilAborted } from './testing/scripted-agent';
import { GROUP, OTHER_GROUP, TELEGRAM_TOKEN, TelegramStandIn } from '../../../../test/support/telegram-standin';

let telegram: TelegramStandIn;

beforeEach(async () => {
  telegram = await TelegramStandIn.start();
});
afterEach(async () => {
  await endScenes();
  await telegram.stop();
});

jest.setTimeout(60_000);

const listed = (...groupIds: string[]) => ({ telegram_token: TELEGRAM_TOKEN, telegram_groupIds: groupIds });

async function running(options: Parameters<typeof bridgeScene>[0] = {}): Promise<BridgeScene> {
  const env = { TELEGRAM_API_ROOT: telegram.url, ...options.env };
  const scene = bridgeScene({ settings: listed(GROUP, OTHER_GROUP), ...options, env });
  await until('the bot asks for messages', () => telegram.isPolled);
  return scene;
}

const answers = (count: number): Promise<void> => until(`${count} answers`, () => telegram.sent.length === count);

describe('bridges', () => {
  it('answers with what the agent of the settings makes of it: JavaScript is evaluated, and keeps its context', async () => {
    await running({ settings: { ...listed(GROUP), cliType: 'javascript' }, loadDriver });
    telegram.say('const birds = ["heron", "egret"]; birds.length');
    telegram.say('console.log(birds[0]); birds[1]');
    await answers(2);
    expect(telegram.texts).toEqual(['2', 'heron\negret']);
    telegram.say('throw new Error("a secret path")');
    await answers(3);
    expect(telegram.texts[2]).toBe('Sorry, something went wrong and I could not answer that. Please try again.');
  });

  it('gives the agent its instruction, tools, servers and folder, and no token of a platform', async () => {
    const { agent, folder } = await running({ settings: { ...listed(GROUP), claude_model: 'm' } });
    telegram.say('hello');
    await answers(1);
    const [context] = agent.contexts;
    const workspace = join(folder, 'workspace', 'bridges', `telegram-${GROUP}`);
    expect(context).toMatchObject({
      workspace,
      instruction: 'Be brief.',
      allowedTools: ['Read'],
      mcpServers: { tools: { type: 'http' } },
      session: { cliType: 'claude-code' },
      settings: { claude_model: 'm' },
    });
    expect(JSON.stringify(context)).not.toContain(TELEGRAM_TOKEN);
    expect(readFileSync(join(workspace, 'CLAUDE.md'), 'utf8')).toBe('Be brief.');
  });

  it('an edited instruction holds from the next message on, in the same conversation', async () => {
    const { agent, configure, folder } = await running();
    telegram.say('one');
    await answers(1);
    configure(listed(GROUP, OTHER_GROUP), 'Be verbose.');
    telegram.say('two');
    await answers(2);
    expect(agent.contexts.map(({ instruction }) => instruction)).toEqual(['Be brief.', 'Be verbose.']);
    expect(agent.contexts[1]?.resumeId).toBe('talk-1');
    const file = join(folder, 'workspace', 'bridges', `telegram-${GROUP}`, 'CLAUDE.md');
    expect(readFileSync(file, 'utf8')).toBe('Be verbose.');
  });

  it('answers the messages of one group in their order, and of two groups side by side', async () => {
    const { agent } = await running();
    const gates: (() => void)[] = [];
    agent.play = async (prompt, sink) => {
      if (prompt.startsWith('slow')) await new Promise<void>((resolve) => gates.push(resolve));
      await sink.emit('text', { text: prompt });
      return {};
    };
    telegram.say('slow 1');
    telegram.say('2');
    telegram.say('3');
    telegram.say('elsewhere', OTHER_GROUP);
    await answers(1);
    expect(telegram.texts).toEqual(['elsewhere']);
    gates[0]?.();
    await answers(4);
    expect(telegram.texts.slice(1)).toEqual(['slow 1', '2', '3']);
  });

  it('says once that it is full, and answers again when it is not', async () => {
    const { agent } = await running();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    agent.play = async (prompt, sink) => {
      await gate;
      await sink.emit('text', { text: prompt });
      return {};
    };
    for (let n = 1; n <= 15; n++) telegram.say(String(n));
    await answers(1);
    expect(telegram.texts[0]).toContain('still busy');
    open();
    await answers(12);
    telegram.say('later');
    await answers(13);
    expect(telegram.texts.slice(1)).toEqual([...Array.from({ length: 11 }, (_, index) => String(index + 1)), 'later']);
  });

  it('an agent that fails is answered with one plain sentence, and the log has what happened', async () => {
    const { agent, lines } = await running();
    agent.play = async () => ({
      status: 'failed',
      stopReason: 'agent_error',
      error: { message: 'ECONNREFUSED at /srv/inside', stderrTail: 'stack of the inside' },
    });
    telegram.say('hello');
    await answers(1);
    expect(telegram.texts).toEqual(['Sorry, something went wrong and I could not answer that. Please try again.']);
    expect(lines.join('')).toContain('ECONNREFUSED at /srv/inside');
    expect(lines.join('')).toContain('stack of the inside');
  });

  it('an agent that takes too long is stopped, killed where it does not stop, and the next message is answered', async () => {
    const { agent } = await running({ settings: { ...listed(GROUP), bridge_turnTimeoutSeconds: 0.2 } });
    agent.play = async (prompt, sink, signal) => {
      if (prompt === 'stuck') return new Promise(() => undefined);
      if (prompt === 'slow') {
        await untilAborted(signal);
        return { status: 'cancelled', stopReason: 'aborted' };
      }
      await sink.emit('text', { text: 'fine' });
      return {};
    };
    for (const text of ['slow', 'stuck', 'quick']) telegram.say(text);
    await answers(3);
    expect(telegram.texts.map((text) => text.includes('too long'))).toEqual([true, true, false]);
    expect(agent.killed).toHaveLength(1);
  });

  it('carries a conversation on after a restart of the harness', async () => {
    const first = await running();
    telegram.say('hello');
    await answers(1);
    await first.bridges.stop(0);
    const second = await running({ folder: first.folder });
    telegram.say('hello again');
    await answers(2);
    expect(second.agent.contexts[0]?.resumeId).toBe('talk-1');
  });

  it('keeps no more agents warm than it may, and ends the longest unused', async () => {
    const { agent } = await running({ maxParallel: 1 });
    telegram.say('one');
    await answers(1);
    telegram.say('two', OTHER_GROUP);
    await answers(2);
    expect(agent.stopped).toBe(1);
    telegram.say('three');
    await answers(3);
    expect(agent.contexts[2]?.resumeId).toBe('talk-1');
  });

  it('a message that was told twice is answered once', async () => {
    await running();
    telegram.say('once', GROUP, { message_id: 500 });
    await answers(1);
    telegram.say('once', GROUP, { message_id: 500 });
    telegram.say('another');
    await answers(2);
    expect(telegram.texts).toEqual(['heard: once', 'heard: another']);
  });
});

describe('bridges and their settings', () => {
  it('is off without settings, and for an agent that lives for one session', async () => {
    expect(bridgeScene().bridges.states).toEqual([
      { name: 'discord', state: 'off' },
      { name: 'telegram', state: 'off' },
    ]);
    const managed = bridgeScene({ settings: listed(GROUP), mayServe: false });
    await until('it is off', () => managed.state('telegram')?.state === 'off');
    expect(telegram.calls).toEqual([]);
  });

  it('answers nobody where no group is listed, and says so once', async () => {
    const { configure, lines, state } = bridgeScene({ settings: listed(), env: { TELEGRAM_API_ROOT: telegram.url } });
    const reason = 'a token is set, but no channel or group it may answer in';
    await until('the reason', () => state('telegram')?.reason === reason);
    configure({ ...listed(), claude_model: 'another' });
    configure(listed(GROUP));
    await until('it runs', () => state('telegram')?.state === 'running');
    expect(lines.filter((line) => line.includes(reason))).toHaveLength(1);
    expect(state('telegram')).toEqual({ name: 'telegram', state: 'running' });
  });

  it('a change of other settings leaves the bridge alone; a change of its own starts it anew', async () => {
    const { configure } = await running();
    const starts = (): number => telegram.calls.filter((method) => method === 'getMe').length;
    configure({ ...listed(GROUP, OTHER_GROUP), claude_model: 'another' });
    telegram.say('hello');
    await answers(1);
    expect(starts()).toBe(1);
    configure(listed(GROUP));
    await until('a new start', () => starts() === 2 && telegram.isPolled);
    telegram.say('not listed any more', OTHER_GROUP);
    telegram.say('listed');
    await answers(2);
    expect(telegram.texts).toEqual(['heard: hello', 'heard: listed']);
  });

  it('a removed setting stops the bridge and what it was answering', async () => {
    const { agent, configure, state } = await running();
    agent.play = async (_prompt, _sink, signal) => {
      await untilAborted(signal);
      return { status: 'cancelled', stopReason: 'aborted' };
    };
    telegram.say('hello');
    await until('the agent works', () => agent.contexts.length === 1);
    configure({});
    await until('it is off', () => state('telegram')?.state === 'off');
    await until('nobody asks', () => !telegram.isPolled);
    expect(telegram.texts).toEqual(['Sorry, I was stopped before I could answer that. Please send it again later.']);
  });

  it('stop lets an answer be finished within the time it is given', async () => {
    const { agent, bridges } = await running();
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    agent.play = async (_prompt, sink) => {
      await gate;
      await sink.emit('text', { text: 'just in time' });
      return {};
    };
    telegram.say('hello');
    await until('the agent works', () => agent.contexts.length === 1);
    const stopped = bridges.stop(30_000);
    open();
    await stopped;
    expect(telegram.texts).toEqual(['just in time']);
    expect(telegram.isPolled).toBe(false);
    expect(agent.stopped).toBe(1);
  });
});

describe('a bridge that fails', () => {
  it('with a wrong token is failed with the reason, and runs once the token is right', async () => {
    telegram.token = 'another';
    const { state, lines } = bridgeScene({ settings: listed(GROUP), env: { TELEGRAM_API_ROOT: telegram.url } });
    await until('it failed', () => state('telegram')?.state === 'failed');
    expect(state('telegram')?.reason).toContain('refuses the token');
    expect(lines.join('')).not.toContain(TELEGRAM_TOKEN);
    telegram.token = TELEGRAM_TOKEN;
    await until('it runs', () => state('telegram')?.state === 'running');
  });

  it('keeps an answer for the platform until it is back', async () => {
    const { agent, state } = await running();
    agent.play = async (_prompt, sink) => {
      telegram.refuse.push({ method: 'sendMessage', status: 502, description: 'Bad Gateway' });
      await sink.emit('text', { text: 'worth waiting for' });
      return {};
    };
    telegram.say('hello');
    await answers(1);
    expect(telegram.texts).toEqual(['worth waiting for']);
    expect(state('telegram')?.state).toBe('running');
  });

  it('while it starts, says or stops is made anew, and nothing is thrown', async () => {
    let made = 0;
    const broken = (): Bridge => {
      made++;
      if (made === 1) throw new Error('cannot even be made');
      return {
        start: (events) => {
          if (made === 2) return Promise.reject(new Error('cannot start'));
          if (made === 3) return new Promise(() => undefined);
          setTimeout(() => events.onLost(new Error('lost')), 10);
          return Promise.resolve();
        },
        send: () => Promise.reject(new Error('cannot say')),
        typing: () => Promise.reject(new Error('cannot type')),
        stop: () => Promise.reject(new Error('cannot stop')),
      };
    };
    const { state, lines } = bridgeScene({ settings: listed(GROUP), createBridge: broken, connectMs: 100 });
    await until('it was made five times', () => made >= 5);
    expect(['retrying', 'running']).toContain(state('telegram')?.state);
    for (const reason of ['cannot even be made', 'cannot start', 'within its time', 'lost', 'cannot stop']) {
      expect(lines.join('')).toContain(reason);
    }
  });
});

it('writes nothing where there is nothing to do', () => {
  const { folder } = bridgeScene();
  expect(existsSync(join(folder, 'workspace'))).toBe(false);
});
