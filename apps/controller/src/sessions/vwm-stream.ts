import { type SessionLogEvent } from '@reins/shared/link/events';
import { type PromptResponse } from '@reins/shared/api/sessions';

/** One event of `POST /sessions/:id/stream`, in the words of the VWM contract. */
export interface VwmEvent {
  type: 'start' | 'text' | 'tool_call' | 'tool_result' | 'thinking' | 'error' | 'complete';
  data: unknown;
}

/** The stream's word for an event of the log; undefined for those it does not carry, and for the turn's end. */
export function toVwmEvent(event: SessionLogEvent): VwmEvent | undefined {
  const { type, data, turnId } = event;
  switch (type) {
    case 'turn.queued':
      // Queued again after an interruption, it is the same request to its caller.
      return data['reason'] === undefined ? { type: 'start', data: { requestId: turnId } } : undefined;
    case 'text':
      return { type: 'text', data: textOf(data) };
    case 'console':
      return { type: 'text', data: data['continues'] === true ? textOf(data) : `${textOf(data)}\n` };
    case 'value':
      return textOf(data) === '' ? undefined : { type: 'text', data: textOf(data) };
    case 'thinking':
      return { type: 'thinking', data: textOf(data) };
    case 'tool_call':
      return { type: 'tool_call', data };
    case 'tool_result':
      return { type: 'tool_result', data };
    case 'exception':
      return {
        type: 'error',
        data: { message: `${String(data['name'])}: ${String(data['message'])}`, code: 'exception', requestId: turnId },
      };
    default:
      return undefined;
  }
}

export function completeEvent(result: PromptResponse): VwmEvent {
  return { type: 'complete', data: result };
}

export function errorEvent(code: string, message: string, requestId: string): VwmEvent {
  return { type: 'error', data: { message, code, requestId } };
}

/** Text above 64 KiB is in a blob; the stream carries its beginning. */
function textOf(data: Record<string, unknown>): string {
  const text = data['text'] ?? data['preview'];
  return typeof text === 'string' ? text : '';
}
