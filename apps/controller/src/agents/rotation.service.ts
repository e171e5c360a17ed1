import { Injectable, Logger } from '@nestjs/common';
import { type RotateRequest, type RotateResponse, type RotationRequested } from '@reins/shared/api/enrollment';
import { ReinsError } from '@reins/shared/errors';
import { type AgentPrincipal, type OrgScope, type UserPrincipal } from '../access/principal';
import { AuditService } from '../audit/audit.service';
import { Config } from '../config/config';
import { agentNotFound } from './agent-configuration.service';
import { type AgentDocument } from './agent.schema';
import { AgentsRepository, type AgentUpdate } from './agents.repository';
import { AgentsService } from './agents.service';
import { SecretProofs } from './secret-proofs';
import { matchesSecret, newSecret } from './secrets';

interface StoredSecret {
  hash: string;
  proof: string | undefined;
}

/** New secrets for agents that fetch them themselves, without the connection or the session noticing. */
@Injectable()
export class RotationService {
  private readonly logger = new Logger('Rotation');

  constructor(
    private readonly agents: AgentsRepository,
    private readonly configured: AgentsService,
    private readonly proofs: SecretProofs,
    private readonly config: Config,
    private readonly audit: AuditService,
  ) {}

  /**
   * Asked by the agent: a new secret beside the one it holds, which goes on working for the overlap. So an answer that is
   * lost, or a crash before it is written down, costs nothing: the agent asks again with the secret it has. Its tokens and
   * its socket stay. Throws 400 for a managed agent, 401 for a secret that is not its own, 409 where another change was
   * faster.
   */
  async rotate(
    scope: OrgScope,
    id: string,
    { secret: held }: RotateRequest,
    by: AgentPrincipal,
  ): Promise<RotateResponse> {
    const agent = await this.autonomous(scope, id);
    const kept = held === undefined ? currentOf(agent) : await this.heldBy(agent, held);
    if (kept === undefined) throw new ReinsError('invalid_credentials');
    const secret = newSecret();
    const now = Date.now();
    const previousSecretUntil = new Date(now + this.config.env.CREDENTIAL_OVERLAP_SECONDS * 1000);
    const update: AgentUpdate = {
      $set: {
        ...(await this.proofs.secretFields(id, secret)),
        previousSecretHash: kept.hash,
        ...(kept.proof !== undefined && { previousSecretProof: kept.proof }),
        previousSecretUntil,
        updatedAt: new Date(now),
        updatedBy: by.actor,
      },
      $unset: { rotationRequestedAt: '', ...(kept.proof === undefined && { previousSecretProof: '' }) },
    };
    const rotated = await this.agents.update(scope, id, update, { secretHash: agent.secretHash ?? null });
    if (rotated === undefined) throw new ReinsError('conflict');
    await this.audit.record(scope, {
      actor: by.actor,
      action: 'agent.credentialsRotated',
      target: { type: 'agent', id },
      after: { previousValidUntil: previousSecretUntil },
    });
    this.logger.log({ agentId: id, orgId: scope.orgId }, 'agent.credentialsRotated');
    await this.configured.refreshConfiguration(scope, id);
    return { secret, previousValidUntil: previousSecretUntil.toISOString() };
  }

  /**
   * Asked by a person: the agent's configuration says so from now on, until it has rotated. An agent that cannot keeps the
   * request, visible as `rotationRequestedAt`. Throws 400 for a managed agent.
   */
  async request(scope: OrgScope, id: string, by: UserPrincipal): Promise<RotationRequested> {
    await this.autonomous(scope, id);
    const now = new Date();
    const change = { rotationRequestedAt: now, updatedAt: now, updatedBy: by.actor };
    if ((await this.agents.update(scope, id, { $set: change })) === undefined) throw agentNotFound(id);
    await this.audit.record(scope, {
      actor: by.actor,
      action: 'agent.rotationRequested',
      target: { type: 'agent', id },
      after: { rotationRequestedAt: now },
    });
    await this.configured.refreshConfiguration(scope, id);
    return { rotationRequestedAt: now.toISOString() };
  }

  private async autonomous(scope: OrgScope, id: string): Promise<AgentDocument> {
    const agent = await this.agents.get(scope, id);
    if (agent === undefined) throw agentNotFound(id);
    if (agent.type !== 'autonomous') throw new ReinsError('agent_is_managed');
    return agent;
  }

  /** Which of the agent's valid secrets this is. */
  private async heldBy(agent: AgentDocument, held: string): Promise<StoredSecret | undefined> {
    for (const stored of [currentOf(agent), previousOf(agent, Date.now())]) {
      if (stored === undefined) continue;
      const isProven = stored.proof !== undefined && this.proofs.matches(stored.proof, agent._id, stored.hash, held);
      if (isProven || (await matchesSecret(held, stored.hash))) return stored;
    }
    return undefined;
  }
}

function currentOf({ secretHash, secretProof }: AgentDocument): StoredSecret | undefined {
  return secretHash === undefined ? undefined : { hash: secretHash, proof: secretProof };
}

function previousOf(agent: AgentDocument, now: number): StoredSecret | undefined {
  const { previousSecretHash, previousSecretProof, previousSecretUntil } = agent;
  if (previousSecretHash === undefined || previousSecretUntil === undefined) return undefined;
  return previousSecretUntil.getTime() > now ? { hash: previousSecretHash, proof: previousSecretProof } : undefined;
}
