import { type TurnCompleted, Usage } from '@reins/shared/link/events';
import { z } from 'zod';
import { type TurnResult } from './turn.schema';

/** Longest response text kept with the turn, in characters; the whole is in the log. */
const RESPONSE_LIMIT = 2 * 1024 * 1024;

const Text = z.object({ text: z.string() });
const Exception = z.object({ name: z.string(), message: z.string() });

/** What a turn's events add up to: the text a caller gets, and the tokens. Fed in order, each event once. */
export class TurnFold {
  private message = '';
  private earlier = '';
  private lines: string[] = [];
  private unfinishedLine = '';
  private linesLength = 0;
  private usage: Usage | undefined;
  private exception: string | undefined;

  /** The fold as it would be after more events, leaving this one as it is. */
  with(events: readonly { type: string; data: object }[]): TurnFold {
    const copy = new TurnFold();
    Object.assign(copy, this, { lines: [...this.lines] });
    for (const { type, data } of events) copy.apply(type, data);
    return copy;
  }

  apply(type: string, data: object): void {
    switch (type) {
      case 'text':
        if (this.message.length < RESPONSE_LIMIT) this.message += textOf(data);
        return;
      case 'tool_call':
      case 'tool_result':
        // What an agent says before it uses a tool is a remark; its answer is what comes after the last one.
        if (this.message !== '') [this.earlier, this.message] = [this.message, ''];
        return;
      case 'console':
      case 'value':
        if (this.linesLength < RESPONSE_LIMIT) {
          const line = this.unfinishedLine + textOf(data);
          const continues = 'continues' in data && data.continues === true;
          this.unfinishedLine = continues ? line : '';
          if (continues || (type === 'value' && line === '')) return;
          this.lines.push(line);
          this.linesLength += line.length + 1;
        }
        return;
      case 'exception': {
        const parsed = Exception.safeParse(data);
        if (parsed.success) this.exception = `${parsed.data.name}: ${parsed.data.message}`;
        return;
      }
      case 'usage': {
        const parsed = Usage.safeParse(data);
        if (parsed.success) this.usage = add(this.usage, parsed.data);
        return;
      }
    }
  }

  get response(): string {
    const message = this.message === '' ? this.earlier : this.message;
    return [...(message === '' ? [] : [message]), ...this.lines].join('\n');
  }

  /** The stored result of a turn that ended with these last words. */
  result(end: TurnCompleted): TurnResult {
    const usage = end.usage ?? this.usage;
    const said = [this.exception, end.error?.message];
    const message = end.stopReason === 'exception' ? (said[0] ?? said[1]) : (said[1] ?? said[0]);
    return {
      response: this.response,
      stopReason: end.stopReason,
      tokensIn: usage?.tokensIn ?? 0,
      tokensOut: usage?.tokensOut ?? 0,
      costUsd: usage?.costUsd ?? null,
      model: usage?.model ?? null,
      artifacts: end.artifacts,
      error:
        message === undefined ? null : { message, ...(end.error?.stderrTail && { stderrTail: end.error.stderrTail }) },
      raw:
        end.raw === undefined
          ? null
          : { format: end.raw.format, content: end.raw.content ?? null, blobId: end.raw.blobId ?? null },
    };
  }
}

function textOf(data: object): string {
  const parsed = Text.safeParse(data);
  if (parsed.success) return parsed.data.text;
  return 'preview' in data && typeof data.preview === 'string' ? data.preview : '';
}

function add(sum: Usage | undefined, more: Usage): Usage {
  if (sum === undefined) return more;
  return {
    ...more,
    tokensIn: sum.tokensIn + more.tokensIn,
    tokensOut: sum.tokensOut + more.tokensOut,
    ...((sum.costUsd ?? more.costUsd) !== undefined && { costUsd: (sum.costUsd ?? 0) + (more.costUsd ?? 0) }),
  };
}
