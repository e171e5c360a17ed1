import { Injectable } from '@nestjs/common';
import { type CreateNode, type NodeHeartbeat, type UpdateNode } from '@reins/shared/api/nodes';
import { type NodePrincipal, type OrgScope } from '../../access/principal';
import { AgentsRepository } from '../../agents/agents.repository';
import { AuditService } from '../../audit/audit.service';
import { type Editor, newAiwmDocument } from '../../common/aiwm-document';
import { type AiwmFound } from '../../common/aiwm-documents.repository';
import { aiwmNotFound } from '../../common/aiwm-id';
import { refuseInUse } from '../../common/aiwm-in-use';
import { type AiwmListQuery } from '../../common/aiwm-list';
import { unmaskSecrets } from '../../common/mask-secrets';
import { type NodeDocument } from './node.schema';
import { toNodeView } from './node.view';
import { NodeTokensRepository } from './node-tokens.repository';
import { NodesRepository } from './nodes.repository';

/** Machines that agents run on. */
@Injectable()
export class NodesService {
  constructor(
    private readonly nodes: NodesRepository,
    private readonly tokens: NodeTokensRepository,
    private readonly agents: AgentsRepository,
    private readonly audit: AuditService,
  ) {}

  async create(scope: OrgScope, body: CreateNode, by: Editor): Promise<NodeDocument> {
    const node = await this.nodes.create(scope, {
      ...newAiwmDocument(by),
      ...body,
      status: 'pending',
      aliveAt: null,
      websocketConnected: false,
      lastHeartbeat: null,
      lastMetricsAt: null,
      facts: {},
      config: {},
      tokenGeneratedAt: null,
      tokenExpiresAt: null,
      tokenLastUsed: null,
    });
    await this.record(scope, by, 'created', undefined, node);
    return node;
  }

  list(scope: OrgScope, query: AiwmListQuery): Promise<AiwmFound<NodeDocument>> {
    return this.nodes.list(scope, query);
  }

  /** Not deleted, whatever its status. */
  find(scope: OrgScope, id: string): Promise<NodeDocument | undefined> {
    return this.nodes.get(scope, id);
  }

  /** Throws 404 node_not_found. */
  async get(scope: OrgScope, id: string): Promise<NodeDocument> {
    return found(id, await this.find(scope, id));
  }

  async update(scope: OrgScope, id: string, body: UpdateNode, by: Editor): Promise<NodeDocument> {
    const before = await this.get(scope, id);
    const after = found(id, await this.nodes.update(scope, id, { $set: changeOf(body, before, by) }));
    await this.record(scope, by, 'updated', before, after);
    return after;
  }

  /** Ends its tokens too. Throws 409 in_use while an agent names it. */
  async delete(scope: OrgScope, id: string, by: Editor): Promise<void> {
    const before = await this.get(scope, id);
    refuseInUse('delete', 'node', await this.agents.usersOf(scope, { nodeId: id }));
    if (!(await this.nodes.markDeleted(scope, id, new Date(), by))) throw nodeNotFound(id);
    await this.tokens.revokeAll(scope, id, new Date());
    await this.record(scope, by, 'deleted', before, undefined);
  }

  /** Marks the node as what it says it is, unless it is under maintenance. Throws 404 node_not_found. */
  async heartbeat(
    scope: OrgScope,
    { nodeId, tokenId }: NodePrincipal,
    { status, ...facts }: NodeHeartbeat,
  ): Promise<NodeDocument> {
    const at = new Date();
    const node = found(nodeId, await this.nodes.recordHeartbeat(scope, nodeId, { status, facts }, at));
    await this.tokens.recordUse(scope, tokenId, at);
    return node;
  }

  private async record(
    scope: OrgScope,
    { actor }: Editor,
    what: 'created' | 'updated' | 'deleted',
    before: NodeDocument | undefined,
    after: NodeDocument | undefined,
  ): Promise<void> {
    await this.audit.record(scope, {
      actor,
      action: `node.${what}`,
      target: { type: 'node', id: (after ?? before)?._id ?? '' },
      before: before && toNodeView(before),
      after: after && toNodeView(after),
    });
  }
}

/** Facts that are not named stay; config is replaced, but for what was sent back masked. */
function changeOf(body: UpdateNode, stored: NodeDocument, by: Editor): Record<string, unknown> {
  const { name, role, isLocal, vpnIp, status, websocketConnected, lastHeartbeat, config, ...facts } = body;
  const now = new Date();
  const change = {
    name,
    role,
    isLocal,
    vpnIp,
    status,
    websocketConnected,
    lastHeartbeat,
    ...(status === 'online' && { aliveAt: now }),
    ...(config !== undefined && { config: unmaskSecrets(config, stored.config) }),
    ...Object.fromEntries(Object.entries(facts).map(([fact, value]) => [`facts.${fact}`, value])),
    updatedAt: now,
    updatedBy: by.actor,
  };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

function found(id: string, node: NodeDocument | undefined): NodeDocument {
  if (node === undefined) throw nodeNotFound(id);
  return node;
}

export const nodeNotFound = (id: string) => aiwmNotFound('node_not_found', 'Node', id);
