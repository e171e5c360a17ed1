import { type SessionView } from '@reins/shared/api/sessions';
import { systemClock } from '@reins/shared/util';
import { type Api } from './api';
import { type Cli } from './options';

const ACTIVE_WITHIN_MS = 120_000;
const RUNTIME = 'quickstart';

interface Named {
  id: string;
}

interface StreamEvent {
  type: string;
  data: unknown;
}

/** What a run of the demo did, for the summary. */
export interface DemoResult {
  sessionId: string;
  workerId: string;
  readyMs: number;
  counts: Map<string, number>;
  outcome: { tokensIn: number; tokensOut: number; durationMs: number };
}

type Say = (line: string) => void;

/** Runtime, worker, session, prompt: the main job, by the public API alone. */
export async function runDemo(api: Api, cli: Cli, prompt: string, say: Say): Promise<DemoResult> {
  const runtimeId = await ensureRuntime(api);
  const workerId = await ensureWorker(api, cli, runtimeId);
  say(`runtime ${runtimeId}, worker ${workerId} (${cli})`);

  const began = performance.now();
  const { id: sessionId } = await api.post<SessionView>('/sessions', { workerId });
  say(`session ${sessionId} created; starting its harness`);
  await untilActive(api, sessionId);
  const readyMs = Math.round(performance.now() - began);
  say(`harness connected and ready after ${readyMs} ms`);

  say(`prompt: ${prompt}\n`);
  const counts = new Map<string, number>();
  for await (const message of api.stream(`/sessions/${sessionId}/stream`, { prompt })) {
    const event = JSON.parse(message.data) as StreamEvent;
    counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
    show(event);
    if (event.type === 'complete') {
      return { sessionId, workerId, readyMs, counts, outcome: event.data as DemoResult['outcome'] };
    }
  }
  throw new Error('The prompt did not complete; the lines above say why.');
}

/** Ends every session that has not ended, and waits until all have. */
export async function endSessions(api: Api, say: Say): Promise<void> {
  for (const status of ['active', 'suspended', 'pending', 'failed']) {
    for (const { id } of await api.get<SessionView[]>(`/sessions?status=${status}&limit=100`)) {
      say(`ending ${id}`);
      await api.delete(`/sessions/${id}`);
    }
  }
  while ((await api.get<SessionView[]>('/sessions?status=ending&limit=1')).length > 0) await systemClock.sleep(200);
}

async function ensureRuntime(api: Api): Promise<string> {
  const known = (await api.get<(Named & { name: string })[]>('/admin/runtimes?limit=100')).find(
    ({ name }) => name === RUNTIME,
  );
  return (known ?? (await api.post<Named>('/admin/runtimes', { name: RUNTIME, baseImage: 'node:20-bookworm-slim' })))
    .id;
}

async function ensureWorker(api: Api, cli: Cli, runtimeId: string): Promise<string> {
  const name = `quickstart-${cli}`;
  const known = await api.find<Named>(`/admin/workers/by-name/${name}`);
  const agentMd = 'You are a careful assistant. Do what is asked, then say what you did.';
  return (known ?? (await api.post<Named>('/admin/workers', { name, runtimeId, cliType: cli, agentMd }))).id;
}

async function untilActive(api: Api, sessionId: string): Promise<void> {
  const deadline = performance.now() + ACTIVE_WITHIN_MS;
  for (;;) {
    const session = await api.get<SessionView>(`/sessions/${sessionId}`);
    if (session.status === 'active') return;
    if (session.status !== 'pending') {
      throw new Error(`The session is ${session.status}: ${session.statusReason?.message ?? 'no reason was given'}`);
    }
    if (performance.now() > deadline)
      throw new Error(`The session is still ${session.phase ?? 'pending'} after ${ACTIVE_WITHIN_MS / 1000} s.`);
    await systemClock.sleep(50);
  }
}

function show({ type, data }: StreamEvent): void {
  if (type === 'text') process.stdout.write(String(data));
  else if (type === 'tool_call') process.stdout.write(`\n[tool_call] ${JSON.stringify(data)}\n`);
  else if (type === 'tool_result') process.stdout.write(`[tool_result] ${JSON.stringify(data)}\n`);
  else if (type === 'error') process.stdout.write(`\n[error] ${JSON.stringify(data)}\n`);
}
