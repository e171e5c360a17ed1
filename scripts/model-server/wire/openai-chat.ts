import { type ModelRequest, type Part, type Speech } from '../script';
import { type Answer } from './answer';
import { asObject, asText, findShellTool, type Json, objects, Transcript } from './json';
import { type Wire } from './wire';

/** OpenAI Chat Completions: POST /v1/chat/completions, and GET /v1/models which clients of this format ask first. */
export const openaiChat: Wire = {
  name: 'openai-chat',
  matches: (path) => path.startsWith('/v1/chat/completions') || path.startsWith('/v1/models'),
  key: (headers) => String(headers.authorization ?? ''),
  read(body, path) {
    if (path.startsWith('/v1/models')) return undefined;
    const request = asObject(body);
    const transcript = new Transcript();
    for (const message of objects(request.messages)) {
      if (message.role === 'tool') transcript.toolResult();
      if (message.role === 'user') transcript.user(texts(message));
    }
    return {
      model: asText(request.model),
      stream: request.stream === true,
      prompts: transcript.prompts,
      toolResults: transcript.toolResults,
      shellTool: findShellTool(
        objects(request.tools).map((tool) => asText(asObject(tool.function).name)),
        ['bash', 'run_shell_command', 'shell', 'execute_command'],
      ),
    };
  },
  other(path, answer) {
    if (!path.startsWith('/v1/models')) return answer.json({ error: { message: `no such path: ${path}` } }, 404);
    answer.json({ object: 'list', data: [{ id: 'local-model', object: 'model', created: 1, owned_by: 'local' }] });
  },
  async reply(reply, request, answer) {
    if (reply.kind === 'failure') {
      return answer.json({ error: { type: 'invalid_request_error', message: reply.message } }, reply.status);
    }
    if (request.stream) return stream(reply, request, answer);
    if (reply.hang) return answer.untilClientLeaves();
    const calls = reply.parts.flatMap((part, index) => toolCall(part, `${answer.id}_${index}`));
    const content = reply.parts.map((part) => (part.type === 'text' ? part.deltas.join('') : '')).join('');
    const message = { role: 'assistant', content, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
    const choice = { index: 0, message, finish_reason: finishReason(reply) };
    return answer.json({ ...base(request, answer, 'chat.completion'), choices: [choice], usage: usage(reply) });
  },
};

async function stream(reply: Speech, request: ModelRequest, answer: Answer): Promise<void> {
  answer.startStream();
  const chunk = base(request, answer, 'chat.completion.chunk');
  const send = (delta: Json, finish: string | null = null): Promise<void> =>
    answer.event(undefined, { ...chunk, choices: [{ index: 0, delta, finish_reason: finish }] });
  await send({ role: 'assistant', content: '' });
  for (const [index, part] of reply.parts.entries()) {
    const calls = toolCall(part, `${answer.id}_${index}`).map((call, at) => ({ index: at, ...call }));
    if (calls.length > 0) await send({ tool_calls: calls });
    for (const text of part.type === 'shell' ? [] : part.deltas) {
      await answer.pause(reply.delayMs);
      await send(part.type === 'text' ? { content: text } : { reasoning_content: text });
    }
    if (reply.hang) await answer.untilClientLeaves();
  }
  await answer.event(undefined, {
    ...chunk,
    choices: [{ index: 0, delta: {}, finish_reason: finishReason(reply) }],
    usage: usage(reply),
  });
  await answer.event(undefined, '[DONE]');
  answer.end();
}

function texts(message: Json): string[] {
  if (typeof message.content === 'string') return [message.content];
  return objects(message.content).map((part) => asText(part.text));
}

function base(request: ModelRequest, answer: Answer, object: string): object {
  return { id: `chatcmpl-${answer.id}`, object, created: 1, model: request.model };
}

const finishReason = (reply: Speech): string =>
  reply.parts.some((part) => part.type === 'shell') ? 'tool_calls' : 'stop';

const usage = ({ usage: { tokensIn, tokensOut } }: Speech): object => ({
  prompt_tokens: tokensIn,
  completion_tokens: tokensOut,
  total_tokens: tokensIn + tokensOut,
});

function toolCall(part: Part, id: string): Json[] {
  if (part.type !== 'shell') return [];
  const input = { command: part.command, description: 'runs what the prompt asked for', is_background: false };
  return [{ id: `call_${id}`, type: 'function', function: { name: part.tool, arguments: JSON.stringify(input) } }];
}
