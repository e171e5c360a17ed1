import { type OrgScope } from '../../apps/controller/src/access/principal';
import { type ApiKeysRepository } from '../../apps/controller/src/access/api-keys.repository';
import { type TokenRevocationsRepository } from '../../apps/controller/src/access/token-revocations.repository';
import { type ViewerTokensRepository } from '../../apps/controller/src/access/viewer-tokens.repository';
import { type AgentKeysRepository } from '../../apps/controller/src/agents/agent-keys.repository';
import { type AgentsRepository } from '../../apps/controller/src/agents/agents.repository';
import { type HostsRepository } from '../../apps/controller/src/agents/hosts.repository';
import { type AgentEventsRepository } from '../../apps/controller/src/agents/presence/agent-events.repository';
import { type AgentMetricsRepository } from '../../apps/controller/src/agents/presence/agent-metrics.repository';
import { type PresenceRepository } from '../../apps/controller/src/agents/presence/presence.repository';
import { type AuditRepository } from '../../apps/controller/src/audit/audit.repository';
import { type CommandsRepository } from '../../apps/controller/src/commands/commands.repository';
import { type InstructionsRepository } from '../../apps/controller/src/definitions/instructions/instructions.repository';
import { type NodeTokensRepository } from '../../apps/controller/src/definitions/nodes/node-tokens.repository';
import { type NodesRepository } from '../../apps/controller/src/definitions/nodes/nodes.repository';
import { type RuntimesRepository } from '../../apps/controller/src/definitions/runtimes/runtimes.repository';
import { type SkillsRepository } from '../../apps/controller/src/definitions/skills/skills.repository';
import { type SystemInstructionsRepository } from '../../apps/controller/src/definitions/system-instructions/system-instructions.repository';
import { type ToolsRepository } from '../../apps/controller/src/definitions/tools/tools.repository';
import { type WorkersRepository } from '../../apps/controller/src/definitions/workers/workers.repository';
import { type EnrolledAgentsRepository } from '../../apps/controller/src/enrollment/enrolled-agents.repository';
import { type EnrollmentTokensRepository } from '../../apps/controller/src/enrollment/enrollment-tokens.repository';
import { type SegmentsRepository } from '../../apps/controller/src/events/segments.repository';
import { type IdempotencyRepository } from '../../apps/controller/src/idempotency/idempotency.repository';
import { type WarmPodsRepository } from '../../apps/controller/src/launchers/kubernetes/pool/warm-pods.repository';
import { type WarmPoolsRepository } from '../../apps/controller/src/launchers/kubernetes/pool/warm-pools.repository';
import { type OperationsRepository } from '../../apps/controller/src/operations/operations.repository';
import { type SessionsRepository } from '../../apps/controller/src/sessions/sessions.repository';
import { type TurnsRepository } from '../../apps/controller/src/turns/turns.repository';

/** Methods that do not take a tenant first, and so could reach another organisation's documents. */
type WithoutScope<Repository> = {
  [Method in keyof Repository]: Repository[Method] extends (...args: infer Arguments) => unknown
    ? Arguments extends [OrgScope, ...unknown[]]
      ? never
      : Method
    : never;
}[keyof Repository];

/** The compiler asks for each such method, and refuses any other: with the reason why it may be so. */
type Reasons<Repository> = Record<WithoutScope<Repository>, string>;

/** A tenant can be made in one place only: an object that looks like one does not do. */
type IsForgeable = { orgId: string } extends OrgScope ? true : false;
export const SCOPE_IS_FORGEABLE: IsForgeable = false;

export const WITHOUT_SCOPE: {
  ApiKeysRepository: Reasons<ApiKeysRepository>;
  TokenRevocationsRepository: Reasons<TokenRevocationsRepository>;
  ViewerTokensRepository: Reasons<ViewerTokensRepository>;
  AgentKeysRepository: Reasons<AgentKeysRepository>;
  AgentsRepository: Reasons<AgentsRepository>;
  HostsRepository: Reasons<HostsRepository>;
  AgentEventsRepository: Reasons<AgentEventsRepository>;
  AgentMetricsRepository: Reasons<AgentMetricsRepository>;
  PresenceRepository: Reasons<PresenceRepository>;
  AuditRepository: Reasons<AuditRepository>;
  CommandsRepository: Reasons<CommandsRepository>;
  InstructionsRepository: Reasons<InstructionsRepository>;
  NodeTokensRepository: Reasons<NodeTokensRepository>;
  NodesRepository: Reasons<NodesRepository>;
  RuntimesRepository: Reasons<RuntimesRepository>;
  SkillsRepository: Reasons<SkillsRepository>;
  SystemInstructionsRepository: Reasons<SystemInstructionsRepository>;
  ToolsRepository: Reasons<ToolsRepository>;
  WorkersRepository: Reasons<WorkersRepository>;
  EnrolledAgentsRepository: Reasons<EnrolledAgentsRepository>;
  EnrollmentTokensRepository: Reasons<EnrollmentTokensRepository>;
  SegmentsRepository: Reasons<SegmentsRepository>;
  IdempotencyRepository: Reasons<IdempotencyRepository>;
  OperationsRepository: Reasons<OperationsRepository>;
  SessionsRepository: Reasons<SessionsRepository>;
  TurnsRepository: Reasons<TurnsRepository>;
  WarmPodsRepository: Reasons<WarmPodsRepository>;
  WarmPoolsRepository: Reasons<WarmPoolsRepository>;
} = {
  ApiKeysRepository: { getByHash: 'the key itself says whose it is', living: 'loop: all keys that hold a stream open' },
  TokenRevocationsRepository: { all: 'loop: kept in memory for the check of every token' },
  ViewerTokensRepository: {
    getByHash: 'the token itself says whose it is',
    living: 'loop: all tokens that hold a stream open',
  },
  AgentKeysRepository: {
    withTool: 'loop: a tool shared with all was edited',
    editedSince: 'loop: edits that another controller made',
  },
  AgentsRepository: {
    getForConnect: 'connect is public: the id and its secret are all there is',
    organisationsUsing: 'how many organisations use a shared tool, never which',
    tokenState: 'takes the organisation from the token, as text',
  },
  HostsRepository: { withSessions: 'loop: slots that nobody holds any more' },
  AgentEventsRepository: { insertAll: 'each document has its own organisation' },
  AgentMetricsRepository: { insertAll: 'each document has its own organisation' },
  PresenceRepository: {
    silent: 'loop: whoever is overdue',
    markSilent: 'loop: the same, by their ids',
    extendAlive: 'loop: after a pause of the controller itself',
    countOnline: 'a gauge of the whole installation',
  },
  AuditRepository: {},
  CommandsRepository: {},
  InstructionsRepository: {},
  NodeTokensRepository: { nodeTokenCounts: 'takes the organisation from the token, as text' },
  NodesRepository: {},
  RuntimesRepository: { withWarmPods: 'loop: keeps the warm pods of all runtimes' },
  SkillsRepository: {},
  SystemInstructionsRepository: {},
  ToolsRepository: {},
  WorkersRepository: {},
  EnrolledAgentsRepository: {},
  EnrollmentTokensRepository: { getByHash: 'the token itself says whose it is' },
  SegmentsRepository: { insertAll: 'each document has its own organisation' },
  IdempotencyRepository: {},
  OperationsRepository: {},
  SessionsRepository: {
    launchedBeside: 'for the loop over harnesses beside a controller, of all organisations',
    adopt: 'the session that is given names its organisation',
    onTheirWay: 'loop: sessions looking for a host',
    everywhere: 'loop: idle, expired and unfinished sessions',
    launched: 'loop: harnesses of this machine',
    putOff: 'loop: starts that a cluster did not take',
    openAmong: 'loop: which of what is found in a cluster still belongs to a session',
  },
  TurnsRepository: {
    terminalLogged: 'loop: ids of turns it has just found',
    allLive: 'loop: leases and time limits',
    unlogged: 'loop: the repair of the log',
  },
  WarmPodsRepository: {
    asks: "the pod's own token names it, and it is nobody's yet",
    settledAmong: 'pods whose questions this controller holds',
    waiting: 'loop: keeps the pools',
    toAdopt: 'loop: pods whose objects are not marked yet',
    count: 'a gauge of the whole installation',
  },
  WarmPoolsRepository: { all: 'loop: keeps the pools' },
};
