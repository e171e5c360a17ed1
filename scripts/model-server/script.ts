import { type Directives, parseDirectives } from './directives';

/** What a client asked, the same for every wire format. */
export interface ModelRequest {
  model: string;
  stream: boolean;
  /** Texts of the user prompts in the conversation, oldest first; the last one is the turn under way. */
  prompts: readonly string[];
  /** Tool results the client has sent since the last prompt. */
  toolResults: number;
  /** Name of the tool that runs a shell command, where the client offers one. */
  shellTool: string | undefined;
}

export type Part =
  | { type: 'text'; deltas: readonly string[] }
  | { type: 'thinking'; deltas: readonly string[] }
  | { type: 'shell'; tool: string; command: string };

export interface Speech {
  kind: 'speech';
  parts: readonly Part[];
  /** Wait before every delta, milliseconds. */
  delayMs: number;
  usage: { tokensIn: number; tokensOut: number };
  /** Say everything but the end: the answer stays open until the client leaves. */
  hang: boolean;
}

export type Reply = Speech | { kind: 'failure'; status: number; message: string };

/** Decides what the model says. It knows nothing of HTTP, and the wire formats know nothing of it. */
export type Script = (request: ModelRequest) => Reply;

const DEFAULT_TEXT = 'Hello from the local model server.';

/**
 * Does what the directives in the newest prompt say. Without any, the first request of a turn that offers a shell tool
 * gets one call that writes `proof-<n>.txt` (n = how many prompts the conversation has), and the next gets text.
 */
export const defaultScript: Script = (request) => {
  const prompt = request.prompts.at(-1) ?? '';
  const directives = parseDirectives(prompt);
  if (directives.failStatus !== undefined) {
    return { kind: 'failure', status: directives.failStatus, message: 'the prompt asked this model server to fail' };
  }
  const command = nextCommand(request, directives);
  const parts: Part[] = [];
  if (directives.thinking !== undefined && request.toolResults === 0) {
    parts.push({ type: 'thinking', deltas: wordDeltas(directives.thinking) });
  }
  if (command !== undefined && request.shellTool !== undefined) {
    parts.push({ type: 'shell', tool: request.shellTool, command });
  } else {
    parts.push({ type: 'text', deltas: textDeltas(request, directives) });
  }
  return {
    kind: 'speech',
    parts,
    delayMs: directives.slowMs ?? 0,
    usage: directives.usage ?? { tokensIn: 12, tokensOut: 7 },
    hang: directives.hang,
  };
};

function nextCommand(request: ModelRequest, directives: Directives): string | undefined {
  const answersInText = directives.texts.length > 0 || directives.deltas !== undefined || directives.recall;
  const proof = `proof-${request.prompts.length}.txt`;
  const commands =
    directives.tools.length > 0 || answersInText
      ? directives.tools
      : [`echo written by a tool call > ${proof} && cat ${proof}`];
  return commands[request.toolResults];
}

function textDeltas(request: ModelRequest, directives: Directives): string[] {
  if (directives.recall) {
    const earlier = request.prompts.slice(0, -1);
    return wordDeltas(`I remember ${earlier.length}: ${earlier.join(' | ')}`);
  }
  if (directives.deltas !== undefined) {
    return Array.from({ length: directives.deltas }, (_, index) => `delta-${index + 1} `);
  }
  return wordDeltas(directives.texts.length > 0 ? directives.texts.join(' ') : DEFAULT_TEXT);
}

/** Each word with the blank after it, so that joining the deltas gives the text again. */
function wordDeltas(text: string): string[] {
  return text.match(/\S+\s*|^\s+/g) ?? [text];
}
