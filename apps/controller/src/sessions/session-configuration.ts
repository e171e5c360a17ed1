import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type SessionDescriptor, type SessionLimits } from '@reins/shared/link/connect';
import { type OrgScope } from '../access/principal';
import { type AgentKey, type KeyPage } from '../agents/agent-keys.repository';
import { type SessionConfiguration, SessionConfigurationSource } from '../agents/session-configuration.port';
import { Config } from '../config/config';
import { type DefinitionEdit } from '../definitions/recent-edits.repository';
import { SystemInstructionsService } from '../definitions/system-instructions/system-instructions.service';
import { type WorkerDocument } from '../definitions/workers/worker.schema';
import { WorkersService } from '../definitions/workers/workers.service';
import { type SessionDocument } from './session.schema';
import { SessionsRepository } from './sessions.repository';

/** What a session's harness is told: the session itself, and its worker as it is defined now. */
@Injectable()
export class SessionConfigurationService extends SessionConfigurationSource {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly workers: WorkersService,
    private readonly systemInstructions: SystemInstructionsService,
    private readonly config: Config,
  ) {
    super();
  }

  async configurationFor(scope: OrgScope, agentId: string): Promise<SessionConfiguration | undefined> {
    const [session] = await this.sessions.ofAgent(scope, agentId);
    if (session === undefined) return undefined;
    const [worker, system] = await Promise.all([this.workerOf(scope, session), this.systemInstructions.current(scope)]);
    const texts = [system.content, worker?.agentMd ?? ''].filter((text) => text.trim() !== '');
    return {
      session: await this.descriptor(scope, session),
      instructionDetail: { id: session.workerId, systemPrompt: texts.join('\n\n'), guidelines: [] },
      mcpServers: Object.fromEntries((worker?.mcpServers ?? []).map(({ name, url }) => [name, { type: 'http', url }])),
      skills: [],
    };
  }

  async agentsConcernedBy(scope: OrgScope, { kind, id }: DefinitionEdit, page: KeyPage): Promise<AgentKey[]> {
    const workers =
      kind === 'systemInstructions' ? undefined : kind === 'skill' ? await this.workers.idsWithSkill(scope, id) : [id];
    const agents = await this.sessions.agentsServing(scope, workers, page);
    return agents.map((agentId) => ({ _id: agentId, orgId: scope.orgId }));
  }

  /** The session as the link hands it to a harness. */
  async descriptor(scope: OrgScope, session: SessionDocument): Promise<SessionDescriptor> {
    const worker = await this.workerOf(scope, session);
    const { conversations } = session;
    return {
      id: session._id,
      workerId: session.workerId,
      cliType: session.cliType,
      modelConfig: worker?.modelConfig ?? null,
      repository: session.repository,
      workerRepo:
        worker?.workerRepoUrl === undefined ? null : { url: worker.workerRepoUrl, branch: worker.workerRepoBranch },
      resume: Object.keys(conversations).length === 0 ? null : { lanes: conversations },
      limits: limitsOf(session, this.config),
    };
  }

  /** Undefined where the worker was deleted while its session went on. */
  private async workerOf(scope: OrgScope, session: SessionDocument): Promise<WorkerDocument | undefined> {
    try {
      return await this.workers.get(scope, session.workerId);
    } catch (error) {
      if (error instanceof ReinsError && error.code === 'worker_not_found') return undefined;
      throw error;
    }
  }
}

/** Limits of one session: its own settings, else the configuration. */
function limitsOf(session: SessionDocument, { env }: Config): SessionLimits {
  const own = session.settings.limits ?? {};
  return {
    turnTimeoutMs: env.TURN_TIMEOUT_SECONDS * 1000,
    turnIdleMs: session.settings.turnIdleMs ?? env.TURN_IDLE_SECONDS * 1000,
    cpuMs: own.cpuMs ?? env.JAVASCRIPT_CPU_MS,
    wallMs: own.wallMs ?? env.JAVASCRIPT_WALL_MS,
    memoryBytes: own.memoryBytes ?? env.JAVASCRIPT_MEMORY_BYTES,
  };
}
