import { type NodeView } from '@reins/shared/api/nodes';
import { toAiwmView } from '../../common/aiwm-document';
import { maskSecrets } from '../../common/mask-secrets';
import { presentStatus } from './node-presence';
import { type NodeDocument } from './node.schema';

/** A node as the API shows it; tokens in its config are masked. */
export function toNodeView(node: NodeDocument, now = Date.now()): NodeView {
  const { vpnIp, aliveAt, lastHeartbeat, lastMetricsAt } = node;
  return {
    ...toAiwmView(node),
    ...node.facts,
    name: node.name,
    role: node.role as NodeView['role'],
    isLocal: node.isLocal,
    ...(vpnIp !== undefined && { vpnIp }),
    status: presentStatus(node, now),
    websocketConnected: node.websocketConnected,
    config: maskSecrets(node.config),
    lastHeartbeat: isoOrNull(lastHeartbeat),
    lastSeenAt: isoOrNull(aliveAt),
    lastMetricsAt: isoOrNull(lastMetricsAt),
    tokenMetadata: {
      tokenGeneratedAt: isoOrNull(node.tokenGeneratedAt),
      tokenExpiresAt: isoOrNull(node.tokenExpiresAt),
      tokenLastUsed: isoOrNull(node.tokenLastUsed),
    },
  };
}

function isoOrNull(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
