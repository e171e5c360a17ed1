import { Injectable } from '@nestjs/common';
import { type Response } from 'express';
import { retry } from '@reins/shared/util';
import { type OrgScope } from '../access/principal';
import { Background } from '../bus/background';
import { Config } from '../config/config';
import { EventLog } from '../events/event-log';
import { type LogEvent } from '../events/log-event';
import { followLog } from '../events/log-follower';
import { SseStream } from '../events/sse-stream';
import { type TurnDocument } from '../turns/turn.schema';
import { TurnsService } from '../turns/turns.service';
import { errorOf, resultOf } from './turn-answer';
import { completeEvent, errorEvent, toVwmEvent, type VwmEvent } from './vwm-stream';

/** A database that is away for a moment does not cost the caller the answer. */
const READ_AGAIN_MS = [200, 1000, 3000, 10_000];

/** Shows one turn to one caller in VWM's words, from its first event to its last. */
@Injectable()
export class PromptStreams {
  constructor(
    private readonly log: EventLog,
    private readonly turns: TurnsService,
    private readonly background: Background,
    private readonly config: Config,
  ) {}

  /** Resolves when the stream is set up; it ends with the turn or when the caller leaves. */
  async stream(
    scope: OrgScope,
    turn: TurnDocument,
    lastEventId: string | undefined,
    response: Response,
  ): Promise<void> {
    const { SSE_PING_MS: pingMs, SSE_BACKLOG_BYTES: backlogBytes } = this.config.env;
    const stream = new SseStream(response, { pingMs, backlogBytes });
    const send = (seq: number, event: VwmEvent): void => stream.send(JSON.stringify(event), { id: seq });
    const given = lastEventId === undefined ? NaN : Number(lastEventId);
    await followLog(this.log, {
      scope,
      sessionId: turn.sessionId,
      after: Number.isSafeInteger(given) ? Math.max(given, turn.afterSeq) : turn.afterSeq,
      onEvent: (logged: LogEvent) => {
        const { event, seq } = logged;
        if (event.turnId !== turn._id) return;
        const mapped = toVwmEvent(event);
        if (mapped !== undefined) send(seq, mapped);
        if (event.type === 'turn.completed') {
          this.background.start('the last event of a stream', () => this.finish(scope, turn, seq, send, stream));
        }
      },
      ready: () => stream.ready(),
      onReset: (firstSeq) => stream.send(JSON.stringify({ firstSeq }), { event: 'reset' }),
      onCaughtUp: () => undefined,
      onLost: () => stream.close(),
      signal: stream.signal,
    });
  }

  private async finish(
    scope: OrgScope,
    turn: TurnDocument,
    seq: number,
    send: (seq: number, event: VwmEvent) => void,
    stream: SseStream,
  ): Promise<void> {
    try {
      const read = () => this.turns.get(scope, turn.sessionId, turn._id);
      const ended = await retry(read, { delaysMs: READ_AGAIN_MS, signal: stream.signal });
      const error = errorOf(ended);
      send(seq, error === undefined ? completeEvent(resultOf(ended)) : errorEvent(error.code, error.message, turn._id));
    } finally {
      stream.close();
    }
  }
}
