import { Injectable, Logger } from '@nestjs/common';
import { idFloor } from '@reins/shared/ids';
import { startInterval } from '@reins/shared/util';
import { type Response } from 'express';
import { LiveAccess } from '../../access/live-access';
import { type OrgScope, type Principal, scopeOf } from '../../access/principal';
import { Bus } from '../../bus/bus';
import { Config } from '../../config/config';
import { SseStream } from '../../events/sse-stream';
import { toAgentEventView } from './agent-events';
import { type AgentEventDocument } from './agent-events.schema';
import { AgentEventsRepository } from './agent-events.repository';

const PAGE = 200;
/** Without a ring: what other controllers have stored. */
const LOOK_EVERY_MS = 2_000;
/** Another controller's clock may be behind and its write slow: so far back is looked again. */
const LOOK_BACK_MS = 10_000;

/** Follows an organisation's events of agents. */
@Injectable()
export class AgentEventStreams {
  private readonly logger = new Logger('AgentEventStreams');

  constructor(
    private readonly events: AgentEventsRepository,
    private readonly bus: Bus,
    private readonly config: Config,
    private readonly access: LiveAccess,
  ) {}

  /** Streams what follows the cursor, or what happens from now on, until the viewer leaves or its credentials end. */
  follow(viewer: Principal, cursor: string | undefined, response: Response): void {
    const { SSE_PING_MS: pingMs, SSE_BACKLOG_BYTES: backlogBytes } = this.config.env;
    const stream = new SseStream(response, { pingMs, backlogBytes });
    this.access.hold(viewer, () => stream.close(), stream.signal);
    const scope = scopeOf(viewer);
    const reader = new EventReader(this.events, scope, cursor ?? idFloor('agentEvent', Date.now()));
    const send = async (since: string): Promise<void> => {
      for await (const event of reader.read(since, stream.signal)) {
        stream.send(JSON.stringify(toAgentEventView(event)), { id: event._id });
        await stream.ready();
      }
    };
    let rung = true;
    const loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      jitter: 0.2,
      run: async () => {
        // What this controller stored rose in order, so the cursor is enough.
        const since = rung ? reader.cursor : reader.lookBack(Date.now() - LOOK_BACK_MS);
        rung = false;
        await send(since);
      },
      onError: (error) => this.logger.warn({ err: error }, 'events of agents could not be read; it is tried again'),
    });
    const ring = (): void => {
      rung = true;
      loop.trigger();
    };
    const end = this.bus.subscribe('agent.presence', ({ orgId }) => {
      if (orgId === scope.orgId) ring();
    });
    stream.signal.addEventListener('abort', () => {
      end();
      void loop.stop();
    });
    ring();
  }
}

/** Reads an organisation's events one after the other, each once, although it looks back for late ones. */
class EventReader {
  private readonly sent = new Set<string>();
  private readonly start: string;

  constructor(
    private readonly events: AgentEventsRepository,
    private readonly scope: OrgScope,
    public cursor: string,
  ) {
    this.start = cursor;
  }

  /** Where to read from so that nothing is missed that carries a time since then. */
  lookBack(sinceMs: number): string {
    const since = idFloor('agentEvent', sinceMs);
    for (const id of this.sent) if (id < since) this.sent.delete(id);
    return [this.start, since < this.cursor ? since : this.cursor].sort()[1] as string;
  }

  async *read(since: string, signal: AbortSignal): AsyncGenerator<AgentEventDocument> {
    for (let at = since; !signal.aborted;) {
      const page = await this.events.after(this.scope, at, PAGE);
      for (const event of page) {
        at = event._id;
        if (this.sent.has(event._id)) continue;
        this.sent.add(event._id);
        if (event._id > this.cursor) this.cursor = event._id;
        yield event;
      }
      if (page.length < PAGE) return;
    }
  }
}
