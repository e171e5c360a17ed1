import { type ModelRequest, type Part, type Reply, type Speech } from '../script';
import { type Answer } from './answer';
import { asObject, asText, findShellTool, objects, Transcript } from './json';
import { type Wire } from './wire';

/** Anthropic Messages: POST /v1/messages and /v1/messages/count_tokens. */
export const anthropic: Wire = {
  name: 'anthropic',
  matches: (path) => path.startsWith('/v1/messages'),
  key: (headers) => String(headers['x-api-key'] ?? headers.authorization ?? ''),
  read(body, path) {
    if (path.startsWith('/v1/messages/')) return undefined;
    const request = asObject(body);
    const transcript = new Transcript();
    for (const message of objects(request.messages)) {
      if (message.role !== 'user') continue;
      const blocks = objects(message.content);
      for (const block of blocks) if (block.type === 'tool_result') transcript.toolResult();
      const texts = blocks.filter((block) => block.type === 'text').map((block) => asText(block.text));
      // Prompts without an answer between them, after a failure for instance, arrive as blocks of one message.
      for (const text of typeof message.content === 'string' ? [message.content] : texts) transcript.user([text]);
    }
    return {
      model: asText(request.model),
      stream: request.stream === true,
      prompts: transcript.prompts,
      toolResults: transcript.toolResults,
      shellTool: findShellTool(
        objects(request.tools).map((tool) => asText(tool.name)),
        ['Bash', 'bash'],
      ),
    };
  },
  other(path, answer) {
    if (path.startsWith('/v1/messages/count_tokens')) answer.json({ input_tokens: 10 });
    else answer.json(failure(404, `no such path: ${path}`), 404);
  },
  async reply(reply, request, answer) {
    if (reply.kind === 'failure') return answer.json(failure(reply.status, reply.message), reply.status);
    if (request.stream) return stream(reply, request, answer);
    if (reply.hang) return answer.untilClientLeaves();
    await answer.pause(reply.delayMs);
    return answer.json({
      ...envelope(reply, request, answer),
      content: reply.parts.map((part, index) => wholeBlock(part, `${answer.id}_${index}`)),
      stop_reason: stopReason(reply),
    });
  },
};

async function stream(reply: Speech, request: ModelRequest, answer: Answer): Promise<void> {
  answer.startStream();
  const send = (type: string, data: object): Promise<void> => answer.event(type, { type, ...data });
  await send('message_start', { message: { ...envelope(reply, request, answer), content: [], stop_reason: null } });
  for (const [index, part] of reply.parts.entries()) {
    const id = `${answer.id}_${index}`;
    await send('content_block_start', { index, content_block: emptyBlock(part, id) });
    for (const delta of blockDeltas(part)) {
      await answer.pause(reply.delayMs);
      await send('content_block_delta', { index, delta });
    }
    if (reply.hang) await answer.untilClientLeaves();
    await send('content_block_stop', { index });
  }
  await send('message_delta', { delta: { stop_reason: stopReason(reply), stop_sequence: null }, usage: usage(reply) });
  await send('message_stop', {});
  answer.end();
}

function envelope(reply: Speech, request: ModelRequest, answer: Answer): object {
  return {
    id: `msg_${answer.id}`,
    type: 'message',
    role: 'assistant',
    model: request.model,
    stop_sequence: null,
    usage: usage(reply),
  };
}

function usage(reply: Speech): object {
  return {
    input_tokens: reply.usage.tokensIn,
    output_tokens: reply.usage.tokensOut,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
}

function stopReason(reply: Reply): string {
  return reply.kind === 'speech' && reply.parts.some((part) => part.type === 'shell') ? 'tool_use' : 'end_turn';
}

function emptyBlock(part: Part, id: string): object {
  if (part.type === 'shell') return { type: 'tool_use', id: `toolu_${id}`, name: part.tool, input: {} };
  if (part.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' };
  return { type: 'text', text: '' };
}

function blockDeltas(part: Part): object[] {
  if (part.type === 'shell') return [{ type: 'input_json_delta', partial_json: JSON.stringify(shellInput(part)) }];
  if (part.type === 'text') return part.deltas.map((text) => ({ type: 'text_delta', text }));
  const thoughts = part.deltas.map((thinking) => ({ type: 'thinking_delta', thinking }));
  return [...thoughts, { type: 'signature_delta', signature: 'unsigned' }];
}

function wholeBlock(part: Part, id: string): object {
  if (part.type === 'shell') return { ...emptyBlock(part, id), input: shellInput(part) };
  const text = part.deltas.join('');
  return part.type === 'text' ? { type: 'text', text } : { type: 'thinking', thinking: text, signature: 'unsigned' };
}

const shellInput = (part: Extract<Part, { type: 'shell' }>): object => ({
  command: part.command,
  description: 'runs what the prompt asked for',
});

function failure(status: number, message: string): object {
  const types: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
    529: 'overloaded_error',
  };
  return { type: 'error', error: { type: types[status] ?? 'api_error', message } };
}
