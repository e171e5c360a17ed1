import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedMongo, ensureEmbeddedMongo } from '@reins/embedded-mongo';
import { type PromptResponse } from '@reins/shared/api/sessions';
import { type SessionLogEvent } from '@reins/shared/link/events';
import { type PulledTurn } from '@reins/shared/link/frames';
import { systemClock } from '@reins/shared/util';
import { ApiClient, credentialsOf, eventually } from '../support/api-client';
import { Balancer } from '../support/balancer';
import { type BuiltController, startBuiltController } from '../support/processes';
import { RedisServer } from '../support/redis-server';
import { ReturningViewer } from '../support/returning-viewer';
import { SpooledHarness } from '../support/spooled-harness';

const SESSIONS = 100;
const EVERY_MS = 200;
const AT_ONCE = 10;
/** What is streamed in peace after each change, so that the next one meets streams that run. */
const CALM_MS = 4_000;
const SETTLED_WITHIN_MS = 150_000;
const PROMPTS = ['first', 'second'] as const;

const ENGINE = join(__dirname, '../../dist/libs/embedded-mongo/main.js');
/** Leaves the credentials for the harness in this process, and costs next to nothing a hundred times. */
const LEAVE_CREDENTIALS =
  'cd "$REINS_STATE_DIR" && printf \'{"agentId":"%s","secret":"%s"}\' "$AIWM_AGENT_ID" "$AIWM_AGENT_SECRET" > new' +
  ' && mv new credentials.json && exec sleep 900';
const HARNESS_COMMAND = JSON.stringify(['/bin/sh', '-c', LEAVE_CREDENTIALS]);

const hasRedis = RedisServer.isInstalled();
if (!hasRedis) process.stderr.write('SKIPPED: rolling restart; install redis-server to run this test\n');

interface Subject {
  id: string;
  harness: SpooledHarness;
  viewer: ReturningViewer;
  watching: Promise<void>;
  answers: Promise<PromptResponse[]>;
}

const isEnd = ({ type }: SessionLogEvent): boolean => type === 'turn.completed';
const areDone = (events: readonly SessionLogEvent[]): boolean => events.filter(isEnd).length === PROMPTS.length;
const textsOf = (events: readonly SessionLogEvent[]): string[] =>
  events.filter(({ type }) => type === 'text').map(({ data }) => String(data['text']));

function digest(texts: readonly string[]): { count: number; sha256: string } {
  return { count: texts.length, sha256: createHash('sha256').update(JSON.stringify(texts)).digest('hex') };
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Asks until there is an answer; the key makes every try the same turn. */
async function answerTo(api: ApiClient, id: string, prompt: string, until: AbortSignal): Promise<PromptResponse> {
  for (;;) {
    until.throwIfAborted();
    try {
      return await api.must('POST', `/sessions/${id}/prompt`, { prompt }, { 'Idempotency-Key': `${id}-${prompt}` });
    } catch (error) {
      // A conflict or a turn that failed would not pass by asking again.
      if (/answered 4\d\d/.test(String(error))) throw error;
      await systemClock.sleep(250);
    }
  }
}

(hasRedis ? describe : describe.skip)('a rolling restart under streaming sessions', () => {
  const dir = mkdtempSync(join(tmpdir(), 'reins-rolling-'));
  const balancer = new Balancer();
  const started: BuiltController[] = [];
  const subjects: Subject[] = [];
  const over = new AbortController();
  const spoken = { first: false, second: false };
  let database: EmbeddedMongo;
  let redis: RedisServer;
  let api: ApiClient;
  let workerId: string;
  let url: string;

  async function enter(): Promise<BuiltController> {
    const MONGODB_URI = database.uri;
    const controller = await startBuiltController({
      dataDir: dir,
      env: { MONGODB_URI, HARNESS_COMMAND, REDIS_URL: redis.url, LAUNCH_TIMEOUT_MS: '240000' },
    });
    started.push(controller);
    balancer.add(controller.url);
    return controller;
  }

  async function* script({ prompt }: PulledTurn): AsyncGenerator<string> {
    for (let n = 1; !spoken[prompt as keyof typeof spoken]; n++) {
      yield `${prompt} ${n};`;
      await systemClock.sleep(EVERY_MS);
    }
  }

  async function begin(): Promise<void> {
    const { id } = await api.session(workerId);
    const harness = new SpooledHarness(url, await credentialsOf(dir, id), script);
    void harness.run();
    const viewer = new ReturningViewer(api, id);
    const watching = viewer.watch(areDone, over.signal);
    const answers = (async () => {
      const responses: PromptResponse[] = [];
      for (const prompt of PROMPTS) responses.push(await answerTo(api, id, prompt, over.signal));
      return responses;
    })();
    // Looked at in the end; until then nobody listens.
    answers.catch(() => undefined);
    subjects.push({ id, harness, viewer, watching, answers });
  }

  /** Every harness is connected, has said something since and was heard by its viewer, and it goes on for a while. */
  async function calm(): Promise<void> {
    const before = subjects.map(({ harness }) => harness.spoken);
    await eventually(
      async () => {
        const silent = subjects.filter(
          ({ harness, viewer }, index) => !harness.isConnected || textsOf(viewer.events).length <= (before[index] ?? 0),
        );
        if (silent.length > 0) throw new Error(`${silent.length} sessions are not streaming again`);
      },
      SETTLED_WITHIN_MS,
      250,
    );
    await systemClock.sleep(CALM_MS);
  }

  beforeAll(async () => {
    database = await ensureEmbeddedMongo({ dir: join(dir, 'engine'), entry: ENGINE });
    redis = await RedisServer.start();
    url = await balancer.listen();
    api = new ApiClient(url);
  }, 60_000);

  afterAll(async () => {
    over.abort();
    for (const { harness } of subjects) harness.stop();
    balancer.close();
    for (const controller of started) await controller.terminate();
    await database?.close({ stop: true });
    for (const controller of started) await controller.stop();
    await redis?.close();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }, 120_000);

  it('every client resumes, and every log is whole', async () => {
    const [a, b] = [await enter(), await enter()];
    for (const one of [a, b]) await eventually(async () => expect(await metric(one.url, 'reins_bus_up')).toBe(1));
    workerId = await api.worker();
    while (subjects.length < SESSIONS) await Promise.all(Array.from({ length: AT_ONCE }, begin));
    await calm();

    expect(await a.terminate()).toBe(0);
    balancer.remove(a.url);
    const nextA = await enter();
    await calm();

    // The first turns end, are answered, and the second ones are asked for while B leaves.
    spoken.first = true;
    expect(await b.terminate()).toBe(0);
    balancer.remove(b.url);
    const nextB = await enter();
    await calm();

    await nextA.kill();
    balancer.remove(nextA.url);
    const lastA = await enter();
    await calm();
    spoken.second = true;

    const timer = setTimeout(() => over.abort(), SETTLED_WITHIN_MS);
    await Promise.all(subjects.map(({ watching }) => watching));
    const answers = await Promise.all(subjects.map((subject) => subject.answers));
    clearTimeout(timer);
    for (const [index, { id, harness, viewer }] of subjects.entries()) {
      const said = [...harness.said.values()];
      expect(said).toHaveLength(PROMPTS.length);
      const reader = new ApiClient(index % 2 === 0 ? nextB.url : lastA.url);
      const stored = await reader.log(id);
      expect(stored.map(({ seq }) => seq)).toEqual(stored.map((_, place) => place + 1));
      expect(stored.filter(isEnd).map(({ turnId }) => turnId)).toEqual([...harness.said.keys()]);
      expect(digest(textsOf(stored))).toEqual(digest(said.flat()));
      expect(digest(textsOf(viewer.events))).toEqual(digest(said.flat()));
      expect(viewer.events).toEqual(stored.slice(0, viewer.events.length));
      expect(answers[index]?.map(({ response }) => response)).toEqual(said.map((texts) => texts.join('')));
      expect({ faults: harness.faults, complaints: viewer.complaints }).toEqual({ faults: [], complaints: [] });
      // Both have seen controllers go: nobody was spared the return.
      expect(harness.connects).toBeGreaterThan(1);
      expect(viewer.opened).toBeGreaterThan(1);
    }
  }, 900_000);
});
