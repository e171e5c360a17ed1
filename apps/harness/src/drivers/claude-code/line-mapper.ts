import { type HarnessEventData, type Usage } from '@reins/shared/link';
import { asNumber, asObject, asText, type Json, objects } from './messages';
import { turnUsage } from './usage';

type MappedType = 'text' | 'thinking' | 'tool_call' | 'tool_result' | 'usage' | 'log';
export type MappedEvent = { [T in MappedType]: { type: T; data: HarnessEventData<T> } }[MappedType];

export interface TurnResult {
  ok: boolean;
  stopReason: string;
  message: string;
  usage: Usage;
  /** The conversation that was to be resumed does not exist. */
  conversationMissing: boolean;
}

/** What one line means. */
export interface Mapped {
  events: MappedEvent[];
  /** Set by `system/init`: a turn begins, in this conversation. */
  conversationId?: string;
  /** The CLI took the prompt that the driver wrote. */
  promptTaken?: boolean;
  /** The CLI asks something and waits. */
  asks?: string;
  result?: TurnResult;
}

/** Turns the lines of one Claude Code process into events. Holds only what is needed to say nothing twice. */
export class LineMapper {
  private costSoFar: number | undefined;
  private model: string | undefined;
  private messageId = '';
  /** `<message id>/<block type>` of everything that came in pieces. */
  private readonly streamed = new Set<string>();
  private readonly seenTools = new Set<string>();

  /** `resumed`: the process carries on a conversation of an earlier one, whose cost it counts too. */
  constructor(resumed = false) {
    this.costSoFar = resumed ? undefined : 0;
  }

  map(line: Json): Mapped {
    switch (line.type) {
      case 'system':
        return this.system(line);
      case 'stream_event':
        return { events: this.streamEvent(line) };
      case 'assistant':
        return { events: this.assistant(line) };
      case 'user':
        return { events: this.user(line), promptTaken: line.isReplay === true };
      case 'result':
        return this.result(line);
      case 'control_request':
        return { events: [], asks: asText(line.request_id) };
      default:
        return { events: [] };
    }
  }

  private system(line: Json): Mapped {
    if (line.subtype === 'init') {
      this.model = asText(line.model) || undefined;
      return { events: [], conversationId: asText(line.session_id) };
    }
    if (line.subtype !== 'api_retry') return { events: [] };
    const status = line.error_status === null ? 'no answer' : String(asNumber(line.error_status));
    const attempt = `attempt ${asNumber(line.attempt)} of ${asNumber(line.max_retries)}`;
    const message = `model service: ${status} ${asText(line.error)}; retry in ${asNumber(line.retry_delay_ms)} ms, ${attempt}`;
    return { events: [{ type: 'log', data: { level: 'warn', message } }] };
  }

  private streamEvent(line: Json): MappedEvent[] {
    if (isSubagent(line)) return [];
    const event = asObject(line.event);
    if (event.type === 'message_start') this.messageId = asText(asObject(event.message).id);
    if (event.type !== 'content_block_delta') return [];
    const delta = asObject(event.delta);
    if (delta.type === 'text_delta') return this.piece('text', asText(delta.text));
    if (delta.type === 'thinking_delta') return this.piece('thinking', asText(delta.thinking));
    return [];
  }

  private piece(type: 'text' | 'thinking', text: string): MappedEvent[] {
    if (text === '') return [];
    this.streamed.add(`${this.messageId}/${type}`);
    return [{ type, data: { text } }];
  }

  private assistant(line: Json): MappedEvent[] {
    const message = asObject(line.message);
    const id = asText(message.id);
    return objects(message.content).flatMap((block): MappedEvent[] => {
      if (block.type === 'tool_use') return this.toolCall(block);
      // An API error is the outcome's message; the words of a subagent are not the answer.
      if (line.is_api_error_message === true || isSubagent(line)) return [];
      if (block.type === 'text') return this.whole('text', id, asText(block.text));
      if (block.type === 'thinking') return this.whole('thinking', id, asText(block.thinking));
      return [];
    });
  }

  private whole(type: 'text' | 'thinking', messageId: string, text: string): MappedEvent[] {
    return text === '' || this.streamed.has(`${messageId}/${type}`) ? [] : [{ type, data: { text } }];
  }

  private toolCall(block: Json): MappedEvent[] {
    const id = asText(block.id);
    if (this.seenTools.has(id)) return [];
    this.seenTools.add(id);
    return [{ type: 'tool_call', data: { id, name: asText(block.name), input: block.input ?? {} } }];
  }

  private user(line: Json): MappedEvent[] {
    if (line.isReplay === true) return [];
    return objects(asObject(line.message).content)
      .filter((block) => block.type === 'tool_result')
      .map((block) => ({
        type: 'tool_result',
        data: { id: asText(block.tool_use_id), output: block.content ?? '', isError: block.is_error === true },
      }));
  }

  private result(line: Json): Mapped {
    const usage = turnUsage(line, this.costSoFar, this.model);
    this.costSoFar = asNumber(line.total_cost_usd);
    this.streamed.clear();
    this.seenTools.clear();
    const errors = Array.isArray(line.errors) ? line.errors.map(String) : [];
    const message = asText(line.result) || errors.join('; ') || asText(line.subtype);
    const maxTurns = line.subtype === 'error_max_turns';
    const ok = maxTurns || (line.is_error !== true && line.subtype === 'success');
    const reason = maxTurns ? 'max_turns' : ok ? asText(line.stop_reason) || 'end_turn' : 'agent_error';
    const result: TurnResult = {
      ok,
      stopReason: reason,
      message,
      usage,
      conversationMissing: !ok && asNumber(line.num_turns) === 0 && /No conversation found/.test(message),
    };
    return { events: result.conversationMissing ? [] : [{ type: 'usage', data: usage }], result };
  }
}

const isSubagent = (line: Json): boolean => typeof line.parent_tool_use_id === 'string';
