import { Injectable, Logger } from '@nestjs/common';
import { type RegenerateRequest, type RegenerateResponse } from '@reins/shared/api/agents';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope, type UserPrincipal } from '../access/principal';
import { AuditService } from '../audit/audit.service';
import { Bus } from '../bus/bus';
import { ListenAddress } from '../config/listen-address';
import { HarnessPackage } from '../downloads/harness-package';
import { agentNotFound } from './agent-configuration.service';
import { type AgentDocument } from './agent.schema';
import { AgentsRepository, type AgentUpdate } from './agents.repository';
import { AgentsService } from './agents.service';
import { envConfig } from './env-config';
import { installScript } from './install-script';
import { type SecretFields, SecretProofs } from './secret-proofs';
import { newSecret } from './secrets';

/** Hands out the secrets of autonomous agents. */
@Injectable()
export class AgentCredentialsService {
  private readonly logger = new Logger('AgentCredentials');

  constructor(
    private readonly agents: AgentsRepository,
    private readonly address: ListenAddress,
    private readonly harness: HarnessPackage,
    private readonly proofs: SecretProofs,
    private readonly configured: AgentsService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /**
   * A new secret, shown in this answer only. Without overlap the old secret and every token end at once. Throws 404 for
   * an unknown agent, 400 for a managed one, 409 where another regenerate was faster.
   */
  async regenerate(
    scope: OrgScope,
    id: string,
    { overlapSeconds }: RegenerateRequest,
    by: UserPrincipal,
  ): Promise<RegenerateResponse> {
    const agent = await this.agents.get(scope, id);
    if (agent === undefined) throw agentNotFound(id);
    if (agent.type !== 'autonomous') throw new ReinsError('agent_is_managed');
    const secret = newSecret();
    const update = replacement(agent, await this.proofs.secretFields(id, secret), overlapSeconds, by);
    const updated = await this.agents.update(scope, id, update, { secretHash: agent.secretHash ?? null });
    if (updated === undefined) throw new ReinsError('conflict');
    if (overlapSeconds === 0) this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
    this.logger.log({ agentId: id, orgId: scope.orgId, actor: by.actor, overlapSeconds }, 'agent.regenerated');
    await this.audit.record(scope, {
      actor: by.actor,
      action: 'agent.credentialsRegenerated',
      target: { type: 'agent', id },
      after: { overlapSeconds },
    });
    // A rotation that was asked for is done by this.
    if (agent.rotationRequestedAt !== undefined) await this.configured.refreshConfiguration(scope, id);

    const { name, settings } = updated;
    const baseUrl = this.address.publicUrl;
    const env = envConfig({ baseUrl, agentId: id, secret, name, settings });
    const harnessSha256 = await this.harness.sha256();
    const script = installScript({ agentId: id, name, env, baseUrl, harnessSha256 });
    return { agentId: id, secret, envConfig: env, installScript: script };
  }
}

function replacement(
  agent: AgentDocument,
  secret: SecretFields,
  overlapSeconds: number,
  by: UserPrincipal,
): AgentUpdate {
  const now = Date.now();
  const fields = { ...secret, updatedAt: new Date(now), updatedBy: by.actor };
  const { secretHash, secretProof } = agent;
  if (overlapSeconds > 0 && secretHash !== undefined) {
    const previousSecretUntil = new Date(now + overlapSeconds * 1000);
    const proof = secretProof === undefined ? {} : { previousSecretProof: secretProof };
    return {
      $set: { ...fields, previousSecretHash: secretHash, ...proof, previousSecretUntil },
      $unset: { rotationRequestedAt: '', ...(secretProof === undefined && { previousSecretProof: '' }) },
    };
  }
  const ends = overlapSeconds === 0 ? { $inc: { tokenVersion: 1 } } : {};
  const former = { previousSecretHash: '', previousSecretProof: '', previousSecretUntil: '' };
  return { $set: fields, $unset: { ...former, rotationRequestedAt: '' }, ...ends };
}
