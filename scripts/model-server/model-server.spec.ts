import { type ModelServer, startModelServer } from './index';

describe('model server', () => {
  let server: ModelServer;
  beforeAll(async () => {
    server = await startModelServer();
  });
  afterAll(() => server.close());

  const post = (path: string, body: object, signal?: AbortSignal): Promise<Response> =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'sk-local-0123456789' },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    });

  const ask = (prompt: string, more: object = {}, signal?: AbortSignal): Promise<Response> => {
    const body = { model: 'm', stream: true, messages: [{ role: 'user', content: prompt }], ...more };
    return post('/v1/messages?beta=true', body, signal);
  };

  it('listens on loopback only', () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('streams an Anthropic answer in the documented order of events', async () => {
    const events = names(await (await ask('[[text:one two three]]')).text());
    expect(events).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('calls the offered shell tool once a turn, then speaks', async () => {
    const tools = [{ name: 'Bash' }];
    const first = await (await ask('write something', { tools })).text();
    expect(first).toContain('proof-1.txt');
    const messages = [
      { role: 'user', content: 'write something' },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'Bash', input: {} }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'ok' }] },
    ];
    const second = await (await ask('', { tools, messages })).text();
    expect(second).toContain('text_delta');
    expect(second).not.toContain('tool_use');
  });

  it('runs several commands in order when the prompt lists them', async () => {
    const tools = [{ name: 'Bash' }];
    const prompt = { role: 'user', content: '[[tool:first]] [[tool:second]] [[text:done]]' };
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: '' }] };
    const answers: string[] = [];
    for (const messages of [[prompt], [prompt, result], [prompt, result, result]]) {
      answers.push(await (await ask('', { tools, messages })).text());
    }
    expect(answers[0]).toContain('first');
    expect(answers[1]).toContain('second');
    expect(answers[2]).toContain('done');
  });

  it('recalls earlier prompts and no text that the client added by itself', async () => {
    const messages = [
      { role: 'user', content: [text('<system-reminder>\nnoise\n</system-reminder>'), text('my dog is Rex')] },
      { role: 'assistant', content: [text('noted')] },
      { role: 'user', content: [text('[Request interrupted by user]')] },
      { role: 'user', content: '[[recall]]' },
    ];
    const answer = await (await ask('', { messages, stream: false })).json();
    expect(answer).toMatchObject({ content: [{ type: 'text', text: 'I remember 1: my dog is Rex' }] });
  });

  it('fails with the status the prompt names, counts tokens, and reports the usage it is told', async () => {
    const failed = await ask('[[fail:429]]');
    expect(failed.status).toBe(429);
    expect(await failed.json()).toMatchObject({ error: { type: 'rate_limit_error' } });
    const counted = await post('/v1/messages/count_tokens', {});
    expect(await counted.json()).toEqual({ input_tokens: 10 });
    const used = await (await ask('[[usage:100,20]]', { stream: false })).json();
    expect(used).toMatchObject({ usage: { input_tokens: 100, output_tokens: 20 } });
  });

  it('hangs until the client leaves', async () => {
    const leave = new AbortController();
    const response = await ask('[[text:start]] [[hang]]');
    expect(response.status).toBe(200);
    const open = ask('[[hang]]', { stream: false }, leave.signal).then(
      () => 'answered',
      () => 'left',
    );
    expect(await Promise.race([open, new Promise((resolve) => setTimeout(resolve, 50, 'open'))])).toBe('open');
    leave.abort();
    expect(await open).toBe('left');
    await response.body?.cancel();
  });

  it.each([
    ['/v1/responses', { input: [{ role: 'user', content: 'x' }], tools: [{ name: 'exec_command' }] }, 'function_call'],
    [
      '/v1/chat/completions',
      { messages: [{ role: 'user', content: 'x' }], tools: [{ function: { name: 'bash' } }] },
      'tool_calls',
    ],
    [
      '/v1beta/models/m:streamGenerateContent?alt=sse',
      {
        contents: [{ role: 'user', parts: [{ text: 'x' }] }],
        tools: [{ functionDeclarations: [{ name: 'run_shell_command' }] }],
      },
      'functionCall',
    ],
  ])('speaks %s', async (path, body, marker) => {
    const withTool = await (await post(path, { model: 'm', stream: true, ...body })).text();
    expect(withTool).toContain(marker);
    expect(withTool).toContain('proof-1.txt');
    const spoken = await (await post(path, { model: 'm', stream: true, ...body, tools: [] })).text();
    expect(spoken).toContain('Hello');
    expect(spoken).not.toContain(marker);
  });

  it('remembers requests without bodies and without whole keys', () => {
    const record = server.requests[0];
    expect(record).toMatchObject({ path: '/v1/messages?beta=true', wire: 'anthropic', keyStart: 'sk-local-0' });
    expect(JSON.stringify(server.requests)).not.toContain('one two three');
  });
});

const text = (value: string): object => ({ type: 'text', text: value });
const names = (stream: string): string[] => [...stream.matchAll(/^event: (.+)$/gm)].map((match) => match[1] ?? '');
