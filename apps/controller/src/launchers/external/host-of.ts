import { type HostDocument } from '../../agents/hosts.repository';
import { type Host } from './host';

/** A heartbeat older than this many beats says nothing about the load any more. */
const FRESH_BEATS = 3;

/** An agent as the placement of sessions sees it. A harness that has not told its capacity takes one session. */
export function hostOf(agent: HostDocument, now: number): Host {
  const { _id, name, status, acceptsSessions, labels, harness, boundSessions, heartbeat, lastHeartbeatAt } = agent;
  const isFresh = now - (lastHeartbeatAt?.getTime() ?? 0) <= FRESH_BEATS * agent.beatEveryMs;
  return {
    id: _id,
    name,
    enrolledAt: agent.createdAt.getTime(),
    status,
    acceptsSessions,
    isConnected: agent.online && agent.connectedAt !== null && agent.socketClosedAt === undefined,
    labels,
    supportedTypes: harness?.supportedTypes,
    capacity: harness?.capacity ?? 1,
    boundSessions,
    metrics: isFresh ? (heartbeat?.metrics ?? {}) : {},
  };
}
