import { Injectable } from '@nestjs/common';
import { acceptsPrompts } from '@reins/shared/state';
import { type AbortRequest, type CreateSession, type PromptRequest } from '@reins/shared/api/sessions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../access/principal';
import { AgentsService } from '../agents/agents.service';
import { AuditService } from '../audit/audit.service';
import { Background } from '../bus/background';
import { CommandsService } from '../commands/commands.service';
import { Config } from '../config/config';
import { type Page } from '../database/tenant.repository';
import { checkRepositoryUrl } from '../definitions/repository-url';
import { WorkersService } from '../definitions/workers/workers.service';
import { IdempotencyService } from '../idempotency/idempotency.service';
import { Launchers } from '../launchers/launchers';
import { OperationsService } from '../operations/operations.service';
import { type TurnDocument } from '../turns/turn.schema';
import { TurnsService } from '../turns/turns.service';
import { EndPipeline } from './end-pipeline';
import { SessionLifecycle } from './session-lifecycle';
import { placeOf } from './session-placement';
import { SessionPods } from './session-pods';
import { toSessionView } from './session-view';
import { type SessionDocument } from './session.schema';
import { type SessionFilter, SessionsRepository } from './sessions.repository';

/** A session's last activity is noted at most this often. */
const TOUCH_EVERY_MS = 5_000;

@Injectable()
export class SessionsService {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly lifecycle: SessionLifecycle,
    private readonly endPipeline: EndPipeline,
    private readonly launchers: Launchers,
    private readonly workers: WorkersService,
    private readonly agents: AgentsService,
    private readonly turns: TurnsService,
    private readonly commands: CommandsService,
    private readonly operations: OperationsService,
    private readonly idempotency: IdempotencyService,
    private readonly background: Background,
    private readonly config: Config,
    private readonly audit: AuditService,
    private readonly pods: SessionPods,
  ) {}

  /** Makes the session and has a harness started or a host chosen for it; durable when it resolves, not yet active. */
  async create(
    scope: OrgScope,
    actor: string,
    request: CreateSession,
    key: string | undefined,
  ): Promise<SessionDocument> {
    const worker = await this.workers.get(scope, request.workerId);
    const { launcher: name, placement, agentId: pinnedTo } = placeOf(request, worker, this.launchers.default);
    const { repository } = request;
    if (repository !== undefined) {
      checkRepositoryUrl(repository.url, this.config.env.REPOSITORY_SCHEMES, 'repository.url');
    }
    const id = await this.idempotency.reserve(scope, 'sessions', key, request, newId('session'));
    const known = key === undefined ? undefined : await this.sessions.get(scope, id);
    if (known !== undefined) return known;

    const launcher = this.launchers.get(name);
    const host = { sessionId: id, cliType: worker.cliType, placement, agentId: pinnedTo, refusedBy: [] };
    const pod = name === 'kubernetes' ? await this.pods.of(scope, worker) : null;
    await launcher.check(scope.orgId, host, pod);
    const identity = launcher.startsHarness
      ? await this.agents.createManaged(scope, { name: `session ${id}`, sessionId: id })
      : undefined;
    const now = new Date();
    const { session, created } = await this.sessions.create(scope, {
      _id: id,
      workerId: worker._id,
      cliType: worker.cliType,
      agentId: identity?.agentId ?? pinnedTo,
      launcher: name,
      placement,
      pod,
      pinned: pinnedTo !== null,
      offeredAt: null,
      refusals: [],
      status: 'pending',
      phase: null,
      statusReason: null,
      launchId: null,
      launchedAt: null,
      crashes: 0,
      repository: repository ?? null,
      breadcrumbs: request.breadcrumbs ?? [],
      settings: request.settings ?? {},
      conversations: {},
      actor,
      createdAt: now,
      lastActivityAt: null,
      expiresAt: new Date(now.getTime() + worker.timeout * 1000),
      endedAt: null,
    });
    if (!created) {
      if (identity !== undefined) await this.agents.retire(scope, identity.agentId);
      return session;
    }
    await this.operations.open(scope, id, 'Create', actor);
    await this.lifecycle.tellState(scope, id, 'pending');
    this.background.start('the launch of a harness', () => this.lifecycle.launch(scope, id));
    const target = { type: 'session', id };
    await this.audit.record(scope, { actor, action: 'session.created', target, after: toSessionView(session) });
    return session;
  }

  async get(scope: OrgScope, id: string): Promise<SessionDocument> {
    const session = await this.sessions.get(scope, id);
    if (session === undefined) throw new ReinsError('session_not_found');
    return session;
  }

  list(scope: OrgScope, filter: SessionFilter, page: Page): Promise<{ items: SessionDocument[]; total: number }> {
    return this.sessions.list(scope, filter, page);
  }

  /** Ends the session: returns when that is durable, the rest follows. Ending an ended one is fine. */
  async end(scope: OrgScope, id: string, actor: string): Promise<void> {
    const session = await this.sessions.transition(scope, id, 'end');
    if (session === undefined) {
      await this.get(scope, id);
      return;
    }
    await this.operations.move(scope, id, 'Create', 'cancel');
    await this.operations.open(scope, id, 'End', actor);
    await this.lifecycle.tellState(scope, id, 'ending');
    this.background.start('the end of a session', () => this.endPipeline.run(scope, session));
    const target = { type: 'session', id };
    await this.audit.record(scope, { actor, action: 'session.ended', target, before: toSessionView(session) });
  }

  /**
   * Stops the harness and keeps the workspace; resolves when the harness is gone. A suspended session stays as it is.
   * Throws 409 session_busy while a turn runs, session_not_active in any other state.
   */
  async suspend(scope: OrgScope, id: string, actor: string): Promise<SessionDocument> {
    const { status } = await this.get(scope, id);
    if (status !== 'active' && status !== 'suspended') {
      throw new ReinsError('session_not_active', { details: { status } });
    }
    if (status === 'active') {
      if (await this.turns.hasLive(scope, id)) throw new ReinsError('session_busy');
      await this.lifecycle.suspend(scope, id, actor, 'suspended', `suspended by ${actor}`);
    }
    return this.get(scope, id);
  }

  /** Queues a prompt and sees that a harness is there or coming for it. */
  async prompt(
    scope: OrgScope,
    id: string,
    actor: string,
    request: PromptRequest,
    key: string | undefined,
  ): Promise<TurnDocument> {
    const session = await this.get(scope, id);
    if (!acceptsPrompts(session.status)) {
      const reason = session.statusReason?.message ?? `it is ${session.status}`;
      throw new ReinsError('session_not_active', { details: { status: session.status, reason } });
    }
    const { settings, cliType } = session;
    const turn = await this.turns.create(
      scope,
      {
        sessionId: id,
        cliType,
        actor,
        onInterrupt: settings.onInterrupt ?? 'hold',
        turnIdleMs: settings.turnIdleMs ?? this.config.env.TURN_IDLE_SECONDS * 1000,
      },
      request,
      key,
    );
    this.follow(scope, session, actor);
    return turn;
  }

  async abort(scope: OrgScope, id: string, request: AbortRequest): Promise<void> {
    await this.get(scope, id);
    for (const { turnId } of await this.turns.cancel(scope, id, request)) {
      await this.commands.abort(scope, id, turnId, 'aborted by the caller');
    }
  }

  /** What a prompt sets in motion beside its turn; the caller need not wait for it. */
  private follow(scope: OrgScope, session: SessionDocument, actor: string): void {
    const now = Date.now();
    if (now - (session.lastActivityAt?.getTime() ?? 0) > TOUCH_EVERY_MS) {
      this.background.start('noting activity', () => this.sessions.touch(scope, session._id, new Date(now)));
    }
    this.background.start('waking a session', () => this.lifecycle.wake(scope, session, actor));
  }
}
