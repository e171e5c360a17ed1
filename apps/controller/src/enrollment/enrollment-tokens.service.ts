import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  type CreateEnrollmentToken,
  ENROLLMENT_TOKEN_PREFIX,
  type RevokeEnrollmentToken,
} from '@reins/shared/api/enrollment';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OrgScope, type UserPrincipal } from '../access/principal';
import { AgentReferences } from '../agents/agent-references';
import { type AgentDocument } from '../agents/agent.schema';
import { envSettingIssues } from '../agents/env-settings';
import { AuditService } from '../audit/audit.service';
import { Background } from '../bus/background';
import { Bus } from '../bus/bus';
import { type Page } from '../database/tenant.repository';
import { EnrolledAgentsRepository, type GroupEnd } from './enrolled-agents.repository';
import { type EnrollmentTokenDocument } from './enrollment-token.schema';
import { toEnrollmentTokenView } from './enrollment-token.view';
import { EnrollmentTokensRepository } from './enrollment-tokens.repository';

const TOKEN_BYTES = 32;
const SHOWN_CHARACTERS = 10;

/** What is stored of a token and of an enrollment key: both are random, so a plain digest will do. */
export function digestOf(random: string): string {
  return createHash('sha256').update(random).digest('hex');
}

/** Tokens by which harnesses register themselves, and the groups of agents they made. */
@Injectable()
export class EnrollmentTokensService {
  constructor(
    private readonly tokens: EnrollmentTokensRepository,
    private readonly agents: EnrolledAgentsRepository,
    private readonly references: AgentReferences,
    private readonly audit: AuditService,
    private readonly bus: Bus,
    private readonly background: Background,
  ) {}

  /** The token is in this answer and nowhere else. Throws 400 for settings or references no agent could have. */
  async create(
    scope: OrgScope,
    { expiresInSeconds, instructionId, ...body }: CreateEnrollmentToken,
    by: UserPrincipal,
  ): Promise<{ token: string; stored: EnrollmentTokenDocument }> {
    const details = envSettingIssues(body.settings);
    if (details.length > 0) throw new ReinsError('validation_failed', { details });
    await this.references.check(scope, {
      ...(instructionId !== undefined && { instructionId }),
      allowedToolIds: body.allowedToolIds,
    });
    const token = ENROLLMENT_TOKEN_PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
    const now = Date.now();
    const stored = await this.tokens.create(scope, {
      ...body,
      ...(instructionId !== undefined && { instructionId }),
      _id: newId('enrollmentToken', now),
      hash: digestOf(token),
      prefix: token.slice(0, SHOWN_CHARACTERS),
      uses: 0,
      pending: [],
      userId: by.userId,
      createdBy: by.actor,
      createdAt: new Date(now),
      expiresAt: new Date(now + expiresInSeconds * 1000),
      lastUsedAt: null,
      revokedAt: null,
    });
    await this.audit.record(scope, {
      actor: by.actor,
      action: 'enrollmentToken.created',
      target: { type: 'enrollmentToken', id: stored._id },
      after: toEnrollmentTokenView(stored),
    });
    return { token, stored };
  }

  list(scope: OrgScope, page: Page): Promise<{ items: EnrollmentTokenDocument[]; total: number }> {
    return this.tokens.list(scope, page);
  }

  /** Throws 404 enrollment_token_not_found. */
  async get(scope: OrgScope, id: string): Promise<EnrollmentTokenDocument> {
    const token = await this.tokens.get(scope, id);
    if (token === undefined) throw new ReinsError('enrollment_token_not_found');
    return token;
  }

  count(scope: OrgScope, id: string): Promise<{ total: number; suspended: number }> {
    return this.agents.count(scope, id);
  }

  /** Throws 404 enrollment_token_not_found. */
  async agentsOf(scope: OrgScope, id: string, page: Page): Promise<{ items: AgentDocument[]; total: number }> {
    await this.get(scope, id);
    return this.agents.ofToken(scope, id, page);
  }

  /**
   * Nobody registers with the token from now on; what it made stays, or ends at once: secrets, tokens and sockets. May be
   * called again to end a group that was kept. Throws 404 enrollment_token_not_found.
   */
  async revoke(scope: OrgScope, id: string, { agents }: RevokeEnrollmentToken, by: UserPrincipal): Promise<void> {
    const before = await this.get(scope, id);
    // First the token: whoever registers at this moment stores an agent before the group ends, or finds the token revoked.
    const after = await this.tokens.revoke(scope, id, new Date());
    if (after === undefined) throw new ReinsError('enrollment_token_not_found');
    const ended = agents === 'keep' ? [] : await this.agents.endAll(scope, id, agents, by.actor);
    for (const agentId of ended) this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId, reason: 'revoked' });
    await this.audit.record(scope, {
      actor: by.actor,
      action: 'enrollmentToken.revoked',
      target: { type: 'enrollmentToken', id },
      before: toEnrollmentTokenView(before),
      after: { ...toEnrollmentTokenView(after), agents, agentsEnded: ended.length },
    });
    if (agents !== 'keep')
      this.background.start('the audit of a group', () => this.auditEach(scope, ended, agents, by));
  }

  /** An entry for each, so that the history of one agent tells how it ended. */
  private async auditEach(scope: OrgScope, ids: string[], end: GroupEnd, by: UserPrincipal): Promise<void> {
    const action = end === 'delete' ? 'agent.deleted' : 'agent.suspended';
    const after = end === 'delete' ? null : { status: 'suspended' };
    for (const id of ids) {
      await this.audit.record(scope, { actor: by.actor, action, target: { type: 'agent', id }, before: {}, after });
    }
  }
}
