import { type ModelRequest, type Part, type Speech } from '../script';
import { asObject, asText, findShellTool, type Json, objects, Transcript } from './json';
import { type Wire } from './wire';

/** Gemini: POST /v1beta/models/<model>:generateContent, :streamGenerateContent and :countTokens. */
export const gemini: Wire = {
  name: 'gemini',
  matches: (path) => /:(generateContent|streamGenerateContent|countTokens)/.test(path),
  key: (headers) => String(headers['x-goog-api-key'] ?? headers.authorization ?? ''),
  read(body, path) {
    if (path.includes(':countTokens')) return undefined;
    const request = asObject(body);
    const transcript = new Transcript();
    for (const content of objects(request.contents)) {
      if (content.role !== 'user' && content.role !== 'function') continue;
      const parts = objects(content.parts);
      for (const part of parts) if (part.functionResponse !== undefined) transcript.toolResult();
      transcript.user(parts.map((part) => asText(part.text)));
    }
    const tools = objects(request.tools).flatMap((tool) => objects(tool.functionDeclarations));
    return {
      model: /models\/([^:]+):/.exec(path)?.[1] ?? '',
      stream: path.includes(':streamGenerateContent'),
      prompts: transcript.prompts,
      toolResults: transcript.toolResults,
      shellTool: findShellTool(
        tools.map((tool) => asText(tool.name)),
        ['run_shell_command'],
      ),
    };
  },
  other(path, answer) {
    if (path.includes(':countTokens')) answer.json({ totalTokens: 12 });
    else answer.json({ error: { code: 404, message: `no such path: ${path}` } }, 404);
  },
  async reply(reply, request, answer) {
    if (reply.kind === 'failure') {
      const error = { code: reply.status, message: reply.message, status: 'INVALID_ARGUMENT' };
      return answer.json({ error }, reply.status);
    }
    if (!request.stream) {
      if (reply.hang) return answer.untilClientLeaves();
      return answer.json({ ...candidate(reply.parts.flatMap(wholePart), 'STOP'), ...meta(reply, request) });
    }
    answer.startStream();
    for (const part of reply.parts) {
      for (const piece of pieces(part)) {
        await answer.pause(reply.delayMs);
        await answer.event(undefined, candidate([piece]));
      }
      if (reply.hang) await answer.untilClientLeaves();
    }
    await answer.event(undefined, { ...candidate([{ text: '' }], 'STOP'), ...meta(reply, request) });
    return answer.end();
  },
};

const candidate = (parts: Json[], finishReason?: string): object => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...(finishReason ? { finishReason } : {}) }],
});

function meta({ usage: { tokensIn, tokensOut } }: Speech, request: ModelRequest): object {
  const counts = { promptTokenCount: tokensIn, candidatesTokenCount: tokensOut, totalTokenCount: tokensIn + tokensOut };
  return { usageMetadata: counts, modelVersion: request.model };
}

function pieces(part: Part): Json[] {
  if (part.type === 'shell') return wholePart(part);
  return part.deltas.map((text) => (part.type === 'thinking' ? { text, thought: true } : { text }));
}

function wholePart(part: Part): Json[] {
  if (part.type === 'text') return [{ text: part.deltas.join('') }];
  if (part.type === 'thinking') return [{ text: part.deltas.join(''), thought: true }];
  const args = { command: part.command, description: 'runs what the prompt asked for' };
  return [{ functionCall: { name: part.tool, args } }];
}
