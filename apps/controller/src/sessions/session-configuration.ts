import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type McpServers, type SessionDescriptor, type SessionLimits } from '@reins/shared/link/connect';
import { LINK } from '@reins/shared/link/limits';
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
    const worker = await this.workerOf(scope, session);
    return {
      session: this.describe(session, worker),
      instructionDetail: {
        id: session.workerId,
        systemPrompt: await this.instructionBy(scope, worker),
        guidelines: [],
      },
      mcpServers: mcpServersOf(worker),
      skills: [],
    };
  }

  /** The text a session's agent goes by: what all workers share, then its own. */
  async instructionOf(scope: OrgScope, session: SessionDocument): Promise<string> {
    return this.instructionBy(scope, await this.workerOf(scope, session));
  }

  async agentsConcernedBy(scope: OrgScope, { kind, id }: DefinitionEdit, page: KeyPage): Promise<AgentKey[]> {
    const workers =
      kind === 'systemInstructions' ? undefined : kind === 'skill' ? await this.workers.idsWithSkill(scope, id) : [id];
    const agents = await this.sessions.agentsServing(scope, workers, page);
    return agents.map((agentId) => ({ _id: agentId, orgId: scope.orgId }));
  }

  /**
   * The session as the link hands it to a harness. One that serves sessions of several workers gets with each what its
   * worker defines; a harness made for the session has that from its connect answer.
   */
  async descriptor(scope: OrgScope, session: SessionDocument): Promise<SessionDescriptor> {
    const worker = await this.workerOf(scope, session);
    const descriptor = this.describe(session, worker);
    if (session.launcher !== 'external') return descriptor;
    const instruction = await this.instructionBy(scope, worker);
    const isLong = Buffer.byteLength(instruction) > LINK.inlineBytes;
    return {
      ...descriptor,
      ...(isLong ? { instructionUrl: `/sessions/${session._id}/instruction` } : { instruction }),
      mcpServers: mcpServersOf(worker),
      skills: [],
    };
  }

  private async instructionBy(scope: OrgScope, worker: WorkerDocument | undefined): Promise<string> {
    const { content } = await this.systemInstructions.current(scope);
    return [content, worker?.agentMd ?? ''].filter((text) => text.trim() !== '').join('\n\n');
  }

  private describe(session: SessionDocument, worker: WorkerDocument | undefined): SessionDescriptor {
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

function mcpServersOf(worker: WorkerDocument | undefined): McpServers {
  return Object.fromEntries((worker?.mcpServers ?? []).map(({ name, url }) => [name, { type: 'http', url }]));
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
