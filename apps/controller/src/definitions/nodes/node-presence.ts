import { NODE_BEAT_SECONDS, type NodeStatus } from '@reins/shared/api/nodes';

/** Three beats: longer silence means the node is gone. */
const SILENT_AFTER_MS = 3 * NODE_BEAT_SECONDS * 1000;

/** Whoever was last alive before this counts as offline. */
export function silentBefore(now: number): Date {
  return new Date(now - SILENT_AFTER_MS);
}

/** The status as it is at `now`: one that claims to be online but has been silent is offline. */
export function presentStatus(
  { status, aliveAt }: { status: NodeStatus; aliveAt: Date | null },
  now: number,
): NodeStatus {
  if (status !== 'online') return status;
  return aliveAt !== null && aliveAt.getTime() >= silentBefore(now).getTime() ? 'online' : 'offline';
}
