import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { AGENT_CLI_INSTALL_MS, ensureAgentCli } from '../support/agent-clis';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, harnessPid, startBuiltController } from '../support/processes';

interface VwmEvent {
  type: string;
  data: Record<string, unknown>;
}

let model: ModelServer;
let controller: BuiltController;
let api: ApiClient;
let workerId: string;

beforeAll(async () => {
  model = await startModelServer();
  const env = {
    CLAUDE_PATH: await ensureAgentCli('claude-code'),
    ANTHROPIC_BASE_URL: model.url,
    ANTHROPIC_API_KEY: 'local-model-server',
  };
  controller = await startBuiltController({ env });
  api = new ApiClient(controller.url);
  workerId = await api.worker('claude-code', { agentMd: 'You answer in one sentence.' });
}, AGENT_CLI_INSTALL_MS + 60_000);

afterAll(async () => {
  await controller?.stop();
  await model?.close();
});

jest.setTimeout(120_000);

async function activeSession(): Promise<string> {
  const { id } = await api.session(workerId);
  await api.until(id, 'active', 60_000);
  return id;
}

async function stream(id: string, body: object): Promise<VwmEvent[]> {
  const events: VwmEvent[] = [];
  for await (const { data } of api.sse('POST', `/sessions/${id}/stream`, body))
    events.push(JSON.parse(data) as VwmEvent);
  return events;
}

describe('a session of the real Claude Code', () => {
  it('streams text, tool call, tool result and complete with token counts; the file is in the workspace; a second prompt knows the first', async () => {
    const id = await activeSession();
    const events = await stream(id, {
      prompt: 'Make the proof. [[tool:echo made by claude > proof.txt && cat proof.txt]] [[text:It is done now.]]',
    });
    const types = events.map(({ type }) => type);
    expect(types[0]).toBe('start');
    expect(types.filter((type) => type === 'text').length).toBeGreaterThan(1);
    expect(types.indexOf('tool_call')).toBeLessThan(types.indexOf('tool_result'));
    const call = events.find(({ type }) => type === 'tool_call');
    expect(call?.data).toMatchObject({
      name: 'Bash',
      input: { command: expect.stringContaining('proof.txt') as unknown },
    });
    expect(events.find(({ type }) => type === 'tool_result')?.data).toMatchObject({
      output: 'made by claude',
      isError: false,
    });
    const last = events[events.length - 1];
    expect(last).toMatchObject({ type: 'complete', data: { response: 'It is done now.', artifacts: ['proof.txt'] } });
    expect(last?.data['tokensIn']).toBeGreaterThan(0);
    expect(last?.data['tokensOut']).toBeGreaterThan(0);

    const workspace = join(controller.dataDir, 'sessions', id, 'workspace');
    expect(readFileSync(join(workspace, 'proof.txt'), 'utf8')).toBe('made by claude\n');
    expect(readFileSync(join(workspace, 'CLAUDE.md'), 'utf8')).toContain('You answer in one sentence.');

    const second = await api.prompt(id, '[[recall]]');
    expect(second.response).toContain('Make the proof.');
    expect(second.raw).toMatchObject({
      format: 'stream-json',
      metadata: { requestId: second.requestId, cliType: 'claude-code' },
    });
    expect(second.raw.content).toContain('"type":"result"');
    expect(await api.must('GET', `/sessions/${id}/stats`)).toMatchObject({
      totalRequests: 2,
      completedRequests: 2,
      failedRequests: 0,
    });
  });

  it('carries the conversation on in a new harness after the old one was killed', async () => {
    const id = await activeSession();
    await api.prompt(id, 'The code word is heron. [[text:noted]]');
    const pid = harnessPid(controller.dataDir, id);
    expect(pid).toBeDefined();
    process.kill(pid as number, 'SIGKILL');
    await api.until(id, 'suspended');
    expect((await api.prompt(id, '[[recall]]')).response).toContain('heron');
  });

  it('sub-sessions have conversations of their own', async () => {
    const id = await activeSession();
    await Promise.all([
      api.prompt(id, 'Alpha here. [[text:a]]', { subsessionId: 'one' }),
      api.prompt(id, 'Beta here. [[text:b]]', { subsessionId: 'two' }),
    ]);
    const recalled = await api.prompt(id, '[[recall]]', { subsessionId: 'one' });
    expect(recalled.response).toContain('Alpha');
    expect(recalled.response).not.toContain('Beta');
  });

  it('is aborted while it speaks, and takes the next prompt', async () => {
    const id = await activeSession();
    const answer = api.call('POST', `/sessions/${id}/prompt`, {
      prompt: '[[deltas:200]] [[slow:100]] [[text:a very long story that goes on and on]]',
    });
    await eventually(async () => expect((await api.log(id)).some(({ type }) => type === 'text')).toBe(true), 30_000);
    expect(await api.call('POST', `/sessions/${id}/abort`, {})).toMatchObject({
      status: 200,
      body: { status: 'aborted' },
    });
    expect(await answer).toMatchObject({ status: 409, body: { code: 'turn_cancelled' } });
    expect((await api.prompt(id, '[[text:still here]]')).response).toBe('still here');
  });

  it('a model that fails ends the turn as turn_failed with the reason', async () => {
    const id = await activeSession();
    expect(await api.call('POST', `/sessions/${id}/prompt`, { prompt: '[[fail:400]]' })).toMatchObject({
      status: 422,
      body: { code: 'turn_failed', details: { stopReason: 'agent_error' } },
    });
  });

  it('a turn that takes too long is a 504 and the session lives', async () => {
    const id = await activeSession();
    const slow = { prompt: '[[deltas:100]] [[slow:200]] [[text:slow and steady wins no race here]]', timeout: 2 };
    expect(await api.call('POST', `/sessions/${id}/prompt`, slow)).toMatchObject({
      status: 504,
      body: { code: 'turn_timeout' },
    });
    expect((await api.prompt(id, '[[text:fine]]')).response).toBe('fine');
  });
});
