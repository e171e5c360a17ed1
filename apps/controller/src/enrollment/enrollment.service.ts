import { randomBytes } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { type EnrollRequest, type EnrollResponse } from '@reins/shared/api/enrollment';
import { ReinsError } from '@reins/shared/errors';
import { systemClock } from '@reins/shared/util';
import { type OrgScope, orgScope } from '../access/principal';
import { AgentConfigurationService } from '../agents/agent-configuration.service';
import { type AgentDocument } from '../agents/agent.schema';
import { ConnectThrottle } from '../agents/connect-throttle';
import { newAgent } from '../agents/new-agent';
import { SecretProofs } from '../agents/secret-proofs';
import { newSecret } from '../agents/secrets';
import { AuditService } from '../audit/audit.service';
import { Background } from '../bus/background';
import { Bus } from '../bus/bus';
import { Config } from '../config/config';
import { ListenAddress } from '../config/listen-address';
import { isDuplicateKey } from '../database/tenant.repository';
import { nameFromTemplate } from './agent-name';
import { EnrolledAgentsRepository } from './enrolled-agents.repository';
import { type EnrollmentTokenDocument } from './enrollment-token.schema';
import { EnrollmentTokensRepository } from './enrollment-tokens.repository';
import { digestOf } from './enrollment-tokens.service';

const THROTTLE_KEYS = 50_000;

/** Why nobody is let in; for the audit trail only, the answer is always the same. */
type Reason = 'unknown' | 'revoked' | 'expired' | 'used up' | 'its agent was deleted or suspended';

interface Attempt {
  scope: OrgScope;
  /** Empty where the token is nobody's. */
  tokenId: string;
  /** Digest of the enrollment key. */
  key: string;
  request: EnrollRequest;
  address: string;
}

/** `POST /agents/enroll`: a token for an identity of one's own. */
@Injectable()
export class EnrollmentService {
  private readonly logger = new Logger('Enrollment');
  private readonly throttle: ConnectThrottle;

  constructor(
    { env }: Config,
    private readonly tokens: EnrollmentTokensRepository,
    private readonly agents: EnrolledAgentsRepository,
    private readonly configurations: AgentConfigurationService,
    private readonly proofs: SecretProofs,
    private readonly address: ListenAddress,
    private readonly audit: AuditService,
    private readonly bus: Bus,
    private readonly background: Background,
  ) {
    this.throttle = new ConnectThrottle({
      perAgent: env.CONNECT_FAILURES_PER_ADDRESS,
      perAddress: env.CONNECT_FAILURES_PER_ADDRESS,
      windowMs: env.CONNECT_FAILURE_WINDOW_SECONDS * 1000,
      maxKeys: THROTTLE_KEYS,
      monotonic: () => systemClock.monotonic(),
    });
  }

  /**
   * Makes an agent, or gives the one this key has made a new secret. Throws 401 enrollment_refused whatever is wrong with
   * the token, 429 after too many refusals of the address.
   */
  async enroll(request: EnrollRequest, address: string): Promise<EnrollResponse> {
    const retryAfterMs = this.throttle.blockedFor(address, address);
    if (retryAfterMs !== undefined) throw new ReinsError('too_many_requests', { retryAfterMs });
    const token = await this.tokens.getByHash(digestOf(request.token));
    // An unknown token takes the same steps as a known one, so that the time of a refusal tells nothing.
    const scope = orgScope(token?.orgId ?? '');
    const attempt: Attempt = {
      scope,
      tokenId: token?._id ?? '',
      key: digestOf(request.enrollmentKey ?? randomBytes(32).toString('hex')),
      request,
      address,
    };
    const at = new Date();
    const known = await this.agents.ofKey(scope, attempt.tokenId, attempt.key);
    if (token !== undefined && known !== undefined && isAlive(token, at)) return this.renew(attempt, known);

    const use = { key: attempt.key, maxUses: token?.maxUses ?? 0, at };
    const claimed = await this.tokens.claim(scope, attempt.tokenId, use);
    if (claimed !== undefined) return this.register(attempt, claimed, true);
    // The same harness may be asking twice at once, or have been cut off between the count and its agent.
    const now = await this.tokens.get(scope, attempt.tokenId);
    const meanwhile = await this.agents.ofKey(scope, attempt.tokenId, attempt.key);
    if (now !== undefined && isAlive(now, at)) {
      if (meanwhile !== undefined) return this.renew(attempt, meanwhile);
      if (now.pending.includes(attempt.key)) return this.register(attempt, now, false);
    }
    return this.refuse(attempt, reasonOf(now, at));
  }

  /** Stores the agent of a counted use. `own`: it was counted for this very request. */
  private async register(attempt: Attempt, token: EnrollmentTokenDocument, own: boolean): Promise<EnrollResponse> {
    const { scope, key, request } = attempt;
    const secret = newSecret();
    const fields = enrolledAgent(token, key, request);
    const agent = { ...fields, ...(await this.proofs.secretFields(fields._id, secret)) };
    try {
      const { configVersion } = await this.configurations.configurationOf({ ...agent, orgId: scope.orgId });
      await this.agents.create(scope, { ...agent, configVersion });
    } catch (error) {
      if (own) await this.tokens.release(scope, token._id, key);
      const faster = isDuplicateKey(error) ? await this.agents.ofKey(scope, token._id, key) : undefined;
      if (faster === undefined) throw error;
      return this.renew(attempt, faster);
    }
    const settled = await this.tokens.settle(scope, token._id, key);
    if (settled === undefined || settled.revokedAt !== null) {
      // Revoked while this was under way: the group may have ended before it had this one.
      await this.agents.remove(scope, agent._id);
      return this.refuse(attempt, 'revoked');
    }
    await this.record(attempt, 'agent.enrolled', agent._id, {
      name: agent.name,
      labels: agent.labels,
      enrollmentId: token._id,
      address: attempt.address,
    });
    this.logger.log({ orgId: scope.orgId, enrollmentId: token._id, agentId: agent._id }, 'agent.enrolled');
    return { agentId: agent._id, secret, ...this.answerOf(scope, agent.name) };
  }

  /** The answer was lost: the same agent, another secret. What was handed out before is worth nothing from now on. */
  private async renew(attempt: Attempt, { _id, name }: AgentDocument): Promise<EnrollResponse> {
    const { scope, tokenId, address } = attempt;
    const secret = newSecret();
    const renewed = await this.agents.renew(scope, _id, await this.proofs.secretFields(_id, secret));
    if (renewed === undefined) return this.refuse(attempt, 'its agent was deleted or suspended');
    this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: _id, reason: 'revoked' });
    await this.record(attempt, 'agent.enrolledAgain', _id, { enrollmentId: tokenId, address });
    return { agentId: _id, secret, ...this.answerOf(scope, name) };
  }

  private refuse(attempt: Attempt, reason: Reason): never {
    const { scope, tokenId, address, request } = attempt;
    this.throttle.fail(address, address);
    this.logger.warn({ orgId: scope.orgId, enrollmentId: tokenId, address, reason }, 'enrollment refused');
    if (tokenId !== '') {
      // Written after the answer: only a known token has a trail, and the time of the answer must not tell.
      this.background.start('the audit of a refusal', () =>
        this.audit.record(scope, {
          actor: actorOf(tokenId),
          action: 'enrollment.refused',
          target: { type: 'enrollmentToken', id: tokenId },
          after: { reason, address, host: request.host ?? null },
        }),
      );
    }
    throw new ReinsError('enrollment_refused');
  }

  private record({ scope, tokenId }: Attempt, action: string, agentId: string, after: object): Promise<void> {
    return this.audit.record(scope, { actor: actorOf(tokenId), action, target: { type: 'agent', id: agentId }, after });
  }

  private answerOf({ orgId }: OrgScope, name: string): Pick<EnrollResponse, 'orgId' | 'name' | 'baseUrl'> {
    return { orgId, name, baseUrl: this.address.publicUrl };
  }
}

const actorOf = (tokenId: string): string => `enrollment:${tokenId}`;

const isAlive = ({ revokedAt, expiresAt }: EnrollmentTokenDocument, at: Date): boolean =>
  revokedAt === null && expiresAt > at;

function reasonOf(token: EnrollmentTokenDocument | undefined, at: Date): Reason {
  if (token === undefined) return 'unknown';
  if (token.revokedAt !== null) return 'revoked';
  return token.expiresAt > at ? 'used up' : 'expired';
}

function enrolledAgent(token: EnrollmentTokenDocument, enrollmentKey: string, request: EnrollRequest) {
  const { host, harness, supportedTypes, capacity } = request;
  return {
    ...newAgent({ userId: token.userId, actor: actorOf(token._id) }),
    name: request.name ?? nameFromTemplate(token.nameTemplate, { host, n: token.uses }),
    description: `Registered itself with the enrollment token ${token.name}`,
    type: 'autonomous' as const,
    role: token.role,
    ...(token.instructionId !== undefined && { instructionId: token.instructionId }),
    allowedToolIds: token.allowedToolIds,
    settings: token.settings,
    tags: token.tags,
    labels: { ...request.labels, ...token.labels },
    enrollmentId: token._id,
    enrollmentKey,
    harness: {
      ...(host !== undefined && { host }),
      ...(harness !== undefined && { version: harness.version }),
      ...(supportedTypes !== undefined && { supportedTypes }),
      ...(capacity !== undefined && { capacity }),
    },
  };
}
