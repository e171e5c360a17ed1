import { Injectable, Logger } from '@nestjs/common';
import { type RegenerateRequest, type RegenerateResponse } from '@reins/shared/api/agents';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope, type UserPrincipal } from '../access/principal';
import { Bus } from '../bus/bus';
import { ListenAddress } from '../config/listen-address';
import { HarnessPackage } from '../downloads/harness-package';
import { agentNotFound } from './agent-configuration.service';
import { type AgentDocument } from './agent.schema';
import { AgentsRepository, type AgentUpdate } from './agents.repository';
import { envConfig } from './env-config';
import { installScript } from './install-script';
import { hashSecret, newSecret } from './secrets';

/** Hands out the secrets of autonomous agents. */
@Injectable()
export class AgentCredentialsService {
  private readonly logger = new Logger('AgentCredentials');

  constructor(
    private readonly agents: AgentsRepository,
    private readonly address: ListenAddress,
    private readonly harness: HarnessPackage,
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
    const update = replacement(agent, await hashSecret(secret), overlapSeconds, by);
    const updated = await this.agents.update(scope, id, update, { secretHash: agent.secretHash ?? null });
    if (updated === undefined) throw new ReinsError('conflict');
    if (overlapSeconds === 0) this.bus.publish('agent.revoked', { orgId: scope.orgId, agentId: id, reason: 'revoked' });
    this.logger.log({ agentId: id, orgId: scope.orgId, actor: by.actor, overlapSeconds }, 'agent.regenerated');

    const { name, settings } = updated;
    const baseUrl = this.address.publicUrl;
    const env = envConfig({ baseUrl, agentId: id, secret, name, settings });
    const harnessSha256 = await this.harness.sha256();
    const script = installScript({ agentId: id, name, env, baseUrl, harnessSha256 });
    return { agentId: id, secret, envConfig: env, installScript: script };
  }
}

function replacement(agent: AgentDocument, secretHash: string, overlapSeconds: number, by: UserPrincipal): AgentUpdate {
  const now = Date.now();
  const fields = { secretHash, updatedAt: new Date(now), updatedBy: by.actor };
  if (overlapSeconds > 0 && agent.secretHash !== undefined) {
    const previousSecretUntil = new Date(now + overlapSeconds * 1000);
    return { $set: { ...fields, previousSecretHash: agent.secretHash, previousSecretUntil } };
  }
  const ends = overlapSeconds === 0 ? { $inc: { tokenVersion: 1 } } : {};
  return { $set: fields, $unset: { previousSecretHash: '', previousSecretUntil: '' }, ...ends };
}
