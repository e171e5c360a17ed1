import { Injectable } from '@nestjs/common';
import { type Response } from 'express';
import { LiveAccess } from '../access/live-access';
import { type OrgScope, type Principal, scopeOf } from '../access/principal';
import { Config } from '../config/config';
import { EventLog } from '../events/event-log';
import { followLog } from '../events/log-follower';
import { SseStream } from '../events/sse-stream';

/** Shows a session's log to followers and pollers. */
@Injectable()
export class SessionStreams {
  constructor(
    private readonly log: EventLog,
    private readonly config: Config,
    private readonly access: LiveAccess,
  ) {}

  /**
   * Streams every event after the cursor; resolves when the stored ones are sent, the live ones follow. The stream ends
   * when the viewer's credentials do.
   */
  async follow(viewer: Principal, sessionId: string, after: number, response: Response): Promise<void> {
    const { SSE_PING_MS: pingMs, SSE_BACKLOG_BYTES: backlogBytes } = this.config.env;
    const stream = new SseStream(response, { pingMs, backlogBytes });
    this.access.hold(viewer, () => stream.close(), stream.signal);
    await followLog(this.log, {
      scope: scopeOf(viewer),
      sessionId,
      after,
      onEvent: ({ seq, json }) => stream.send(json, { id: seq }),
      ready: () => stream.ready(),
      onReset: (firstSeq) => stream.send(JSON.stringify({ firstSeq }), { event: 'reset' }),
      onCaughtUp: (tail) => stream.send(JSON.stringify({ tail }), { event: 'caught-up' }),
      // The viewer resumes where it is.
      onLost: () => stream.close(),
      signal: stream.signal,
    });
  }

  /** One page as JSON text, its events copied as they are stored. */
  async page(scope: OrgScope, sessionId: string, after: number, limit: number): Promise<string> {
    const { events, firstSeq } = await this.log.read(scope, sessionId, after, limit);
    const nextAfter = events[events.length - 1]?.seq ?? after;
    const { seqTo } = await this.log.currentTail(scope, sessionId);
    const reset = firstSeq > after + 1 ? `"reset":{"firstSeq":${firstSeq}},` : '';
    const items = events.map(({ json }) => json).join(',');
    return `{"items":[${items}],${reset}"nextAfter":${nextAfter},"caughtUp":${nextAfter >= seqTo}}`;
  }
}
