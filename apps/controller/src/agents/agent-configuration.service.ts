import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type LinkAddress } from '@reins/shared/link/connect';
import { LINK } from '@reins/shared/link/limits';
import { type OrgScope, orgScope } from '../access/principal';
import { Config } from '../config/config';
import { ListenAddress } from '../config/listen-address';
import { InstructionsService } from '../definitions/instructions/instructions.service';
import { toToolView } from '../definitions/tools/tool.view';
import { ToolsService } from '../definitions/tools/tools.service';
import { VERSION } from '../health/version';
import { type AgentDocument } from './agent.schema';
import { type AgentConfiguration, configVersionOf } from './config-version';
import { instructionDetail, instructionText } from './instruction-text';
import { mcpServersOf } from './mcp-servers';
import { SessionConfigurationSource } from './session-configuration.port';

export interface VersionedConfiguration extends AgentConfiguration {
  configVersion: string;
}

type AgentPart = Pick<AgentConfiguration, 'session' | 'instructionDetail' | 'tools' | 'mcpServers' | 'skills'>;

/** Puts together what an agent is told when it connects. */
@Injectable()
export class AgentConfigurationService {
  constructor(
    private readonly config: Config,
    private readonly address: ListenAddress,
    private readonly sessions: SessionConfigurationSource,
    private readonly instructions: InstructionsService,
    private readonly tools: ToolsService,
  ) {}

  /** What goes into every configuration without being anybody's definition: another one makes all versions old. */
  get surroundings(): string {
    return JSON.stringify([VERSION, this.link]);
  }

  /** Throws 404 for a managed agent whose session is over: it has nothing left to do. */
  async configurationOf(agent: AgentDocument): Promise<VersionedConfiguration> {
    const part = await this.partOf(agent);
    const configuration: AgentConfiguration = {
      instruction: instructionText(part.instructionDetail),
      ...part,
      agent: {
        id: agent._id,
        name: agent.name,
        orgId: agent.orgId,
        ...(agent.guardrailId !== undefined && { guardrailId: agent.guardrailId }),
      },
      settings: agent.settings,
      link: this.link,
      ...(agent.rotationRequestedAt !== undefined && {
        credentials: { rotationRequestedAt: agent.rotationRequestedAt.toISOString() },
      }),
    };
    return { ...configuration, configVersion: configVersionOf(configuration) };
  }

  private get link(): LinkAddress {
    return {
      url: this.address.publicUrl,
      namespace: LINK.namespace,
      protocol: LINK.protocol,
      heartbeatMs: this.config.env.HEARTBEAT_MS,
      leaseMs: this.config.env.LEASE_MS,
    };
  }

  /** What an agent made for a session gets from there, and every other one from its own definition. */
  private async partOf(agent: AgentDocument): Promise<AgentPart> {
    const scope = orgScope(agent.orgId);
    if (agent.sessionId === undefined) return this.ownPartOf(scope, agent);
    const part = await this.sessions.configurationFor(scope, agent._id);
    if (part === undefined) throw agentNotFound(agent._id);
    return { ...part, tools: [] };
  }

  /** An empty list of tools is no tools. */
  private async ownPartOf(scope: OrgScope, agent: AgentDocument): Promise<AgentPart> {
    const { instructionId, allowedToolIds } = agent;
    const [instruction, found] = await Promise.all([
      instructionId === undefined ? undefined : this.instructions.find(scope, instructionId),
      allowedToolIds.length === 0 ? [] : this.tools.findActive(scope, allowedToolIds),
    ]);
    const tools = found.map(toToolView);
    return {
      session: null,
      instructionDetail: instructionDetail(instructionId, instruction),
      tools: tools.map((tool) => ({ ...tool })),
      mcpServers: mcpServersOf(tools, this.address.publicUrl),
      skills: [],
    };
  }
}

export function agentNotFound(id: string): ReinsError {
  return new ReinsError('agent_not_found', { message: `Agent with ID ${id} not found` });
}
