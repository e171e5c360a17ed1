import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Hello, type Welcome } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type HarnessConfig } from '../config/config.schema';
import { describeError, type Logger } from '../log/logger';
import { Session, type SessionHost } from './session';

export interface HostedSessionsOptions {
  config: HarnessConfig;
  incarnation: string;
  host: SessionHost;
  /** Whether the agent was made for one session, whose workspace then is the harness's own. */
  isManaged: () => boolean;
  /** The one session of a managed agent cannot be served: the harness has nothing left to do. */
  onHopeless: (message: string) => void;
  log: Logger;
  clock: Clock;
  softStopMs?: number;
}

const SESSION_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** The sessions this harness serves: how each comes, what is known of it after it went, and what a new connection hears. */
export class HostedSessions {
  private readonly sessions = new Map<string, Session>();
  private readonly nextEvents = new Map<string, number>();
  private isClosed = false;
  private helloAt = 0;
  private helloSessions: ReadonlySet<string> = new Set();
  private lastWelcome: Welcome | undefined;

  constructor(private readonly options: HostedSessionsOptions) {}

  get all(): readonly Session[] {
    return [...this.sessions.values()];
  }

  get(sessionId: string): Session | undefined {
    return this.sessions.get(sessionId);
  }

  /** From now on no session is taken any more. */
  close(): void {
    this.isClosed = true;
  }

  isWellFormed(descriptor: SessionDescriptor): boolean {
    return SESSION_ID.test(descriptor.id);
  }

  /** Takes a session over and makes its workspace; one that is here already goes by its new definition. */
  bind(descriptor: SessionDescriptor): void {
    const known = this.sessions.get(descriptor.id);
    if (known !== undefined) return known.reconfigure(descriptor);
    if (this.isClosed || !this.isWellFormed(descriptor)) return;
    const { config, incarnation, host, log, clock, softStopMs } = this.options;
    const isManaged = this.options.isManaged();
    const stateDir = join(config.stateDir, 'sessions', descriptor.id);
    // What an earlier process could not send belongs to numbers that ended with it.
    rmSync(join(stateDir, 'spool'), { recursive: true, force: true });
    const session = new Session({
      descriptor,
      workspace: isManaged ? config.workspace : join(config.workspace, descriptor.id),
      stateDir,
      incarnation,
      maxLanes: config.maxLanes,
      firstEvent: this.nextEvents.get(descriptor.id) ?? 1,
      host,
      log,
      clock,
      ...(softStopMs === undefined ? {} : { softStopMs }),
    });
    this.sessions.set(descriptor.id, session);
    session.start().catch((error: unknown) => this.bootstrapFailed(session, isManaged, error));
  }

  /** A session given over a standing connection starts to speak at once. */
  open(sessionId: string): void {
    if (this.lastWelcome !== undefined) {
      this.sessions.get(sessionId)?.open(this.lastWelcome.credit, this.lastWelcome.limits);
    }
  }

  async unbind(sessionId: string, reason: string): Promise<void> {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return;
    this.options.log.info('session unbound', { sessionId, reason });
    this.sessions.delete(sessionId);
    // Should the session come back to this process, its numbers go on: the controller drops those it has seen.
    this.nextEvents.set(sessionId, session.channel.out.next);
    await session.close();
  }

  hello(): Hello['sessions'] {
    this.helloAt = this.options.clock.monotonic();
    this.helloSessions = new Set(this.sessions.keys());
    return this.all.map((session) => session.hello());
  }

  welcomed(welcome: Welcome): void {
    this.lastWelcome = welcome;
    const named = new Set(welcome.sessions.map(({ sessionId }) => sessionId));
    for (const answer of welcome.sessions) {
      this.bind(answer.session);
      this.sessions.get(answer.sessionId)?.welcome(answer, welcome.credit, welcome.limits, this.helloAt);
    }
    for (const session of this.all) {
      if (named.has(session.id)) continue;
      // Given to us since hello was written; anything else was taken away while the link was down.
      if (!this.helloSessions.has(session.id)) session.open(welcome.credit, welcome.limits);
      else if (!this.options.isManaged()) void this.unbind(session.id, 'not named in the welcome');
    }
  }

  linkDown(): void {
    for (const session of this.all) session.linkDown();
  }

  /** The sessions with free lanes and how many those are; undefined where there is none. */
  wanted(): { sessions: string[]; slots: number } | undefined {
    const free = this.all.filter((session) => session.freeLanes > 0);
    if (free.length === 0) return undefined;
    return { sessions: free.map(({ id }) => id), slots: free.reduce((sum, { freeLanes }) => sum + freeLanes, 0) };
  }

  /** The reason goes into the session's log before the process says it with its exit code. */
  private async bootstrapFailed(session: Session, isManaged: boolean, error: unknown): Promise<void> {
    const message = describeError(error);
    this.options.log.error('the workspace could not be made', { sessionId: session.id, reason: message });
    await session.flush();
    if (isManaged) this.options.onHopeless(message);
    else await this.unbind(session.id, message);
  }
}
