import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { LINK } from '@reins/shared/link/limits';
import { orgScope } from '../access/principal';
import { Config } from '../config/config';
import { ListenAddress } from '../config/listen-address';
import { type AgentDocument } from './agent.schema';
import { type AgentConfiguration, configVersionOf } from './config-version';
import { instructionText, placeholderInstruction } from './instruction-text';
import { SessionConfigurationSource } from './session-configuration.port';

export interface VersionedConfiguration extends AgentConfiguration {
  configVersion: string;
}

/** Puts together what an agent is told when it connects. */
@Injectable()
export class AgentConfigurationService {
  constructor(
    private readonly config: Config,
    private readonly address: ListenAddress,
    private readonly sessions: SessionConfigurationSource,
  ) {}

  /** Throws 404 for a managed agent whose session is over: it has nothing left to do. */
  async configurationOf(agent: AgentDocument): Promise<VersionedConfiguration> {
    const part = await this.partOf(agent);
    const configuration: AgentConfiguration = {
      instruction: instructionText(part.instructionDetail),
      ...part,
      tools: [],
      agent: { id: agent._id, name: agent.name, orgId: agent.orgId },
      settings: agent.settings,
      link: {
        url: this.address.publicUrl,
        namespace: LINK.namespace,
        protocol: LINK.protocol,
        heartbeatMs: this.config.env.HEARTBEAT_MS,
        leaseMs: this.config.env.LEASE_MS,
      },
    };
    return { ...configuration, configVersion: configVersionOf(configuration) };
  }

  private async partOf(
    agent: AgentDocument,
  ): Promise<Pick<AgentConfiguration, 'session' | 'instructionDetail' | 'mcpServers' | 'skills'>> {
    if (agent.sessionId === undefined) {
      return {
        session: null,
        instructionDetail: placeholderInstruction(agent.instructionId),
        mcpServers: {},
        skills: [],
      };
    }
    const part = await this.sessions.configurationFor(orgScope(agent.orgId), agent._id);
    if (part === undefined) throw agentNotFound(agent._id);
    return part;
  }
}

export function agentNotFound(id: string): ReinsError {
  return new ReinsError('agent_not_found', { message: `Agent with ID ${id} not found` });
}
