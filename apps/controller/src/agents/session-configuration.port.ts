import { type ConnectResponse } from '@reins/shared/link/connect';
import { type OrgScope } from '../access/principal';
import { type DefinitionEdit } from '../definitions/recent-edits.repository';
import { type AgentKey, type KeyPage } from './agent-keys.repository';

/** The part of a managed agent's connect answer that comes from its session and worker. */
export type SessionConfiguration = Pick<ConnectResponse, 'session' | 'instructionDetail' | 'mcpServers' | 'skills'>;

/** Implemented by the sessions' room, which knows what a managed agent was made for. */
export abstract class SessionConfigurationSource {
  /** Undefined where the agent's session is over: such an agent has nothing left to connect for. */
  abstract configurationFor(scope: OrgScope, agentId: string): Promise<SessionConfiguration | undefined>;

  /** Agents of living sessions that get something of the definition, by id. */
  abstract agentsConcernedBy(scope: OrgScope, edit: DefinitionEdit, page: KeyPage): Promise<AgentKey[]>;
}
