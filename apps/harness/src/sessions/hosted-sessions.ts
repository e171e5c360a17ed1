import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorCode } from '@reins/shared/errors/codes';
import { type SessionDescriptor } from '@reins/shared/link/connect';
import { type Hello, type Welcome } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { type HarnessConfig } from '../config/config.schema';
import { LinkDown, LinkRefusal } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';
import { refuseLink, removeFolder } from '../workspace/remove-folder';
import { Session } from './session';
import { type SessionHost } from './session-host';

export interface HostedSessionsOptions {
  config: HarnessConfig;
  incarnation: string;
  supportedTypes: readonly string[];
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
const TELL_AGAIN_MS = 500;
const TELL_TRIES = 10;
const LONGEST_REASON = 4000;

/** Why a session is not taken. */
export interface Refusal {
  code: ErrorCode;
  message: string;
}

/** The sessions this harness serves: how each comes, what is known of it after it went, and what a new connection hears. */
export class HostedSessions {
  private readonly sessions = new Map<string, Session>();
  private readonly nextEvents = new Map<string, number>();
  /** Those that were given away and are not out yet: their folder is still in use. */
  private readonly leaving = new Map<string, Promise<void>>();
  /** Those whose folder was made for an attempt that failed. */
  private readonly neverReady = new Set<string>();
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

  /**
   * Takes a session over and makes its workspace; one that is here already goes by its new definition. Answers why not
   * where it cannot be taken. `isOurs`: it has been this agent's before, and keeps its place.
   */
  bind(descriptor: SessionDescriptor, isOurs = false): Refusal | undefined {
    const known = this.sessions.get(descriptor.id);
    if (known !== undefined) {
      known.reconfigure(descriptor);
      return undefined;
    }
    const refusal = this.refusalOf(descriptor, isOurs);
    if (refusal === undefined) this.take(descriptor);
    return refusal;
  }

  private refusalOf({ id, cliType }: SessionDescriptor, isOurs: boolean): Refusal | undefined {
    const { config, supportedTypes } = this.options;
    if (!SESSION_ID.test(id)) return { code: 'frame_invalid', message: 'the id of the session is malformed' };
    if (this.isClosed) return { code: 'draining', message: 'the harness is stopping' };
    if (this.leaving.has(id)) return { code: 'conflict', message: 'the harness is still letting go of the session' };
    if (this.options.isManaged()) return undefined;
    if (!supportedTypes.includes(cliType)) {
      const message = `there is no driver for '${cliType}'. Supported types: [${supportedTypes.join(', ')}]`;
      return { code: 'type_unsupported', message };
    }
    if (!isOurs && this.sessions.size >= config.maxSessions) {
      return { code: 'host_full', message: `${this.sessions.size} of ${config.maxSessions} sessions are here` };
    }
    return undefined;
  }

  private take(descriptor: SessionDescriptor): void {
    const { config, incarnation, host, log, clock, softStopMs } = this.options;
    const isManaged = this.options.isManaged();
    const stateDir = join(config.stateDir, 'sessions', descriptor.id);
    const workspace = isManaged ? config.workspace : join(config.workspace, descriptor.id);
    const isNew = !isManaged && !existsSync(workspace);
    const session = new Session({
      descriptor,
      workspace,
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
    const started = isManaged
      ? session.start()
      : refuseLink(config.workspace, descriptor.id).then(() => session.start());
    started.catch((error: unknown) => this.bootstrapFailed(session, isManaged, isNew, error));
  }

  /** A session given over a standing connection starts to speak at once. */
  open(sessionId: string): void {
    if (this.lastWelcome !== undefined) {
      this.sessions.get(sessionId)?.open(this.lastWelcome.credit, this.lastWelcome.limits);
    }
  }

  /** Lets go of a session; resolves when its agents are gone. Its folder stays unless it is to be removed. */
  unbind(sessionId: string, reason: string, remove = false): Promise<void> {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return this.leaving.get(sessionId) ?? Promise.resolve();
    this.options.log.info('session unbound', { sessionId, reason, remove });
    this.sessions.delete(sessionId);
    const left = this.letGo(session, remove)
      .catch((error: unknown) => {
        this.options.log.error('a session was not left in order', { sessionId, reason: describeError(error) });
      })
      .finally(() => this.leaving.delete(sessionId));
    this.leaving.set(sessionId, left);
    return left;
  }

  private async letGo(session: Session, remove: boolean): Promise<void> {
    await session.leave();
    // Should the session come back to this process, its numbers go on: the controller drops those it has seen.
    this.nextEvents.set(session.id, session.channel.out.next);
    await session.close();
    const isWorthless = this.neverReady.delete(session.id);
    if (!remove && !isWorthless) return;
    if (isWorthless || session.mayBeRemoved) await this.removeFolders(session.id);
    else
      this.options.log.warn('the folder of an ended session is kept: its work was not pushed', {
        sessionId: session.id,
      });
  }

  private async removeFolders(sessionId: string): Promise<void> {
    const { workspace, stateDir } = this.options.config;
    await removeFolder(workspace, sessionId);
    await removeFolder(join(stateDir, 'sessions'), sessionId);
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
      this.takeOver(answer.session);
      this.sessions.get(answer.sessionId)?.welcome(answer, welcome.credit, welcome.limits, this.helloAt);
    }
    for (const session of this.all) {
      if (named.has(session.id)) continue;
      // Given to us since hello was written; anything else was taken away while the link was down.
      if (!this.helloSessions.has(session.id)) session.open(welcome.credit, welcome.limits);
      else if (!this.options.isManaged()) void this.unbind(session.id, 'not named in the welcome');
    }
  }

  /** The controller counts it among ours. Where that cannot be, it is told. */
  private takeOver(descriptor: SessionDescriptor): void {
    const leaving = this.leaving.get(descriptor.id);
    if (leaving !== undefined) {
      void leaving.then(() => {
        this.takeOver(descriptor);
        this.open(descriptor.id);
      });
      return;
    }
    const refusal = this.bind(descriptor, true);
    if (refusal !== undefined && refusal.code !== 'draining') void this.tellFailed(descriptor.id, refusal.message);
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
  private async bootstrapFailed(session: Session, isManaged: boolean, isNew: boolean, error: unknown): Promise<void> {
    const message = describeError(error);
    this.options.log.error('the workspace could not be made', { sessionId: session.id, reason: message });
    await session.flush();
    if (isManaged) return this.options.onHopeless(message);
    // Nothing was in it before this attempt, and nobody will come back for what the attempt left.
    if (isNew) this.neverReady.add(session.id);
    await this.tellFailed(session.id, message);
    // The controller may have taken it away by now, as its answer to this.
    if (this.sessions.get(session.id) === session) await this.unbind(session.id, message);
  }

  /** Without a connection it need not be told: the next welcome names the session, and it fails again. */
  private async tellFailed(sessionId: string, reason: string): Promise<void> {
    const { host, clock, log } = this.options;
    const message = reason.slice(0, LONGEST_REASON);
    for (let tries = 0; tries < TELL_TRIES; tries++) {
      try {
        await host.request('session.failed', { sessionId, message });
        return;
      } catch (error) {
        log.debug('session.failed was not heard', { sessionId, reason: describeError(error) });
        if (error instanceof LinkDown || (error instanceof LinkRefusal && error.code === 'session_not_found')) return;
        await clock.sleep(TELL_AGAIN_MS);
      }
    }
  }
}
