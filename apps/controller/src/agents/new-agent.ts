import { newObjectId } from '@reins/shared/ids';
import { type UserPrincipal } from '../access/principal';
import { type AgentDocument } from './agent.schema';

export type Editor = Pick<UserPrincipal, 'userId' | 'actor'>;

/** An agent as it begins: never connected, without a secret. */
export function newAgent(by: Editor): Omit<AgentDocument, 'orgId'> {
  const now = new Date();
  return {
    _id: newObjectId(),
    name: '',
    description: '',
    status: 'active',
    type: 'managed',
    role: 'organization.viewer',
    tags: [],
    allowedToolIds: [],
    settings: {},
    tokenVersion: 1,
    incarnationOpen: false,
    supersededIncarnations: [],
    labels: {},
    acceptsSessions: true,
    boundSessions: [],
    online: false,
    beatEveryMs: 60_000,
    aliveUntil: null,
    connectedAt: null,
    lastConnectedAt: null,
    lastHeartbeatAt: null,
    heartbeat: null,
    connectionCount: 0,
    configVersion: '',
    isDeleted: false,
    deletedAt: null,
    userId: by.userId,
    createdBy: by.actor,
    updatedBy: by.actor,
    createdAt: now,
    updatedAt: now,
  };
}
