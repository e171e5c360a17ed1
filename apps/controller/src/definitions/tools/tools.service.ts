import { Injectable } from '@nestjs/common';
import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import { type CreateTool, type UpdateTool } from '@reins/shared/api/tools';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope, orgScope, type UserPrincipal } from '../../access/principal';
import { AgentsRepository } from '../../agents/agents.repository';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { newAiwmDocument } from '../../common/aiwm-document';
import { type AiwmFound } from '../../common/aiwm-documents.repository';
import { aiwmNotFound } from '../../common/aiwm-id';
import { refuseInUse } from '../../common/aiwm-in-use';
import { type AiwmListQuery } from '../../common/aiwm-list';
import { refuseTakenName } from '../taken-name';
import { mayShare, unmaskTool } from './tool-rules';
import { type ToolDocument } from './tool.schema';
import { toToolView } from './tool.view';
import { ToolsRepository } from './tools.repository';

const NAME = 'The name of the tool';

/** What agents may use beside their own means. */
@Injectable()
export class ToolsService {
  constructor(
    private readonly tools: ToolsRepository,
    private readonly agents: AgentsRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /** Throws 409 name_taken. */
  async create(scope: OrgScope, body: CreateTool, by: UserPrincipal): Promise<ToolDocument> {
    const { schema, scope: given, ...fields } = body;
    const document = {
      ...newAiwmDocument(by),
      ...fields,
      schemaJson: JSON.stringify(schema),
      scope: given ?? 'public',
      shared: given === 'public' && mayShare(by),
    };
    const tool = await refuseTakenName(this.tools.create(scope, document), NAME);
    await this.record(scope, by, 'created', undefined, tool);
    return tool;
  }

  list(scope: OrgScope, query: AiwmListQuery): Promise<AiwmFound<ToolDocument>> {
    return this.tools.list(scope, query);
  }

  /** Throws 404 tool_not_found. */
  async get(scope: OrgScope, id: string): Promise<ToolDocument> {
    return found(id, await this.tools.get(scope, id));
  }

  /** Not deleted, whatever their status, in the order of the ids: the organisation's own and shared ones. */
  findAll(scope: OrgScope, ids: readonly string[]): Promise<ToolDocument[]> {
    return this.tools.getAll(scope, ids);
  }

  /** Those an agent may use now: active, not deleted, in the order of the ids. */
  async findActive(scope: OrgScope, ids: readonly string[]): Promise<ToolDocument[]> {
    return (await this.findAll(scope, ids)).filter(({ status }) => status === 'active');
  }

  /** Throws 403 for a shared tool that is not the caller's to change, 409 in_use where agents would lose it. */
  async update(scope: OrgScope, id: string, body: UpdateTool, by: UserPrincipal): Promise<ToolDocument> {
    const before = await this.changeable(scope, id, by);
    const { schema, ...fields } = unmaskTool(body, before);
    const shared = fields.scope === undefined ? before.shared : fields.scope === 'public' && mayShare(by);
    if (fields.status === 'inactive' && before.status !== 'inactive') await this.refuseIfUsed(before, 'deactivate');
    if (before.shared && !shared) await this.refuseIfUsedElsewhere(before);
    const change = {
      ...fields,
      ...(schema !== undefined && { schemaJson: JSON.stringify(schema) }),
      shared,
      updatedAt: new Date(),
      updatedBy: by.actor,
    };
    const after = found(id, await refuseTakenName(this.tools.update(scope, id, { $set: change }), NAME));
    await this.record(scope, by, 'updated', before, after);
    await this.announce(after);
    return after;
  }

  /** Throws 409 in_use while an agent may use it. */
  async delete(scope: OrgScope, id: string, by: UserPrincipal): Promise<AiwmDeleted> {
    const before = await this.changeable(scope, id, by);
    await this.refuseIfUsed(before, 'delete');
    const at = new Date();
    if (!(await this.tools.markDeleted(scope, id, at, by))) throw notFound(id);
    await this.record(scope, by, 'deleted', before, undefined);
    await this.announce(before);
    return { _id: id, deletedAt: at.toISOString() };
  }

  private async changeable(scope: OrgScope, id: string, by: UserPrincipal): Promise<ToolDocument> {
    const tool = await this.get(scope, id);
    const own = tool.orgId === scope.orgId;
    if (own && (!tool.shared || mayShare(by))) return tool;
    throw new ReinsError('forbidden', { message: 'Only the universe owner may change a tool of all organisations.' });
  }

  private async refuseIfUsed(tool: ToolDocument, action: 'deactivate' | 'delete'): Promise<void> {
    const users = await this.agents.usersOf(orgScope(tool.orgId), { toolId: tool._id });
    refuseInUse(action, 'tool', { ...users, otherOrganisations: (await this.otherUsers(tool)).length });
  }

  private async refuseIfUsedElsewhere(tool: ToolDocument): Promise<void> {
    refuseInUse('withdraw', 'tool', { agents: [], total: 0, otherOrganisations: (await this.otherUsers(tool)).length });
  }

  private async otherUsers({ _id, orgId, shared }: ToolDocument): Promise<string[]> {
    return shared ? (await this.agents.organisationsUsing(_id)).filter((other) => other !== orgId) : [];
  }

  /** To each organisation whose agents are configured from it. */
  private async announce(tool: ToolDocument): Promise<void> {
    for (const orgId of [tool.orgId, ...(await this.otherUsers(tool))]) {
      this.bus.publish('definition.changed', { orgId, kind: 'tool', id: tool._id });
    }
  }

  private async record(
    scope: OrgScope,
    { actor }: UserPrincipal,
    what: 'created' | 'updated' | 'deleted',
    before: ToolDocument | undefined,
    after: ToolDocument | undefined,
  ): Promise<void> {
    await this.audit.record(scope, {
      actor,
      action: `tool.${what}`,
      target: { type: 'tool', id: (after ?? before)?._id ?? '' },
      before: before && toToolView(before),
      after: after && toToolView(after),
    });
  }
}

function found(id: string, tool: ToolDocument | undefined): ToolDocument {
  if (tool === undefined) throw notFound(id);
  return tool;
}

const notFound = (id: string) => aiwmNotFound('tool_not_found', 'Tool', id);
