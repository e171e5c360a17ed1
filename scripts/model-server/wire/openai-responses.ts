import { type ModelRequest, type Part, type Speech } from '../script';
import { type Answer } from './answer';
import { asObject, asText, findShellTool, type Json, objects, Transcript } from './json';
import { type Wire } from './wire';

/** OpenAI Responses: POST /v1/responses. */
export const openaiResponses: Wire = {
  name: 'openai-responses',
  matches: (path) => path.startsWith('/v1/responses'),
  key: (headers) => String(headers.authorization ?? ''),
  read(body) {
    const request = asObject(body);
    const transcript = new Transcript();
    if (typeof request.input === 'string') transcript.user([request.input]);
    for (const item of objects(request.input)) {
      if (asText(item.type).endsWith('_call_output')) transcript.toolResult();
      if (item.role === 'user') transcript.user(texts(item));
    }
    return {
      model: asText(request.model),
      stream: request.stream === true,
      prompts: transcript.prompts,
      toolResults: transcript.toolResults,
      shellTool: findShellTool(
        objects(request.tools).map((tool) => asText(tool.name) || asText(tool.type)),
        ['exec_command', 'shell_command', 'shell', 'local_shell'],
      ),
    };
  },
  other: (path, answer) => answer.json({ error: { message: `no such path: ${path}` } }, 404),
  async reply(reply, request, answer) {
    if (reply.kind === 'failure') {
      return answer.json({ error: { type: 'invalid_request_error', message: reply.message } }, reply.status);
    }
    const output = reply.parts.map((part, index) => outputItem(part, `${answer.id}_${index}`));
    const whole = response(reply, request, answer, 'completed', output);
    if (!request.stream) return reply.hang ? answer.untilClientLeaves() : answer.json(whole);
    answer.startStream();
    const send = (type: string, data: object): Promise<void> => answer.event(type, { type, ...data });
    await send('response.created', { response: response(reply, request, answer, 'in_progress', []) });
    for (const [index, part] of reply.parts.entries()) {
      const item = output[index] ?? {};
      await send('response.output_item.added', { output_index: index, item: { ...item, status: 'in_progress' } });
      for (const delta of part.type === 'shell' ? [] : part.deltas) {
        await answer.pause(reply.delayMs);
        const at = { item_id: item.id, output_index: index, delta };
        if (part.type === 'text') await send('response.output_text.delta', { ...at, content_index: 0 });
        else await send('response.reasoning_summary_text.delta', { ...at, summary_index: 0 });
      }
      if (reply.hang) await answer.untilClientLeaves();
      await send('response.output_item.done', { output_index: index, item });
    }
    await send('response.completed', { response: whole });
    return answer.end();
  },
};

function texts(item: Json): string[] {
  if (typeof item.content === 'string') return [item.content];
  return objects(item.content).map((part) => asText(part.text));
}

function response(reply: Speech, request: ModelRequest, answer: Answer, status: string, output: Json[]): object {
  const { tokensIn, tokensOut } = reply.usage;
  return {
    id: `resp_${answer.id}`,
    object: 'response',
    status,
    model: request.model,
    output,
    usage: {
      input_tokens: tokensIn,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: tokensOut,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: tokensIn + tokensOut,
    },
  };
}

function outputItem(part: Part, id: string): Json {
  if (part.type === 'text') {
    const content = [{ type: 'output_text', text: part.deltas.join(''), annotations: [] }];
    return { type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content };
  }
  if (part.type === 'thinking') {
    return { type: 'reasoning', id: `rs_${id}`, summary: [{ type: 'summary_text', text: part.deltas.join('') }] };
  }
  const input = shellInput(part.tool, part.command);
  const call = { id: `fc_${id}`, call_id: `call_${id}`, name: part.tool, arguments: JSON.stringify(input) };
  return { type: 'function_call', status: 'completed', ...call };
}

function shellInput(tool: string, command: string): object {
  if (tool === 'exec_command') return { cmd: command };
  if (tool === 'shell_command') return { command };
  return { command: ['bash', '-lc', command] };
}
