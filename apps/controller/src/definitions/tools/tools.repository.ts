import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { AiwmDocumentsRepository } from '../../common/aiwm-documents.repository';
import { TOOL, type ToolDocument, toolSchema } from './tool.schema';

/**
 * Reads see the organisation's tools and those shared with every organisation; writes, the organisation's own. The scope
 * goes in last, so that no filter can widen it.
 */
@Injectable()
export class ToolsRepository extends AiwmDocumentsRepository<ToolDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<ToolDocument>(TOOL, toolSchema));
  }

  /** In the order of the ids; unknown ones are left out. */
  async getAll(scope: OrgScope, ids: readonly string[]): Promise<ToolDocument[]> {
    if (ids.length === 0) return [];
    const condition = this.readable(scope, { _id: { $in: [...new Set(ids)] } });
    const found = await this.model.find(condition).lean<ToolDocument[]>().exec();
    const byId = new Map(found.map((tool) => [tool._id, tool]));
    return [...new Set(ids)].flatMap((id) => byId.get(id) ?? []);
  }

  protected override readable(scope: OrgScope, filter: QueryFilter<ToolDocument>): QueryFilter<ToolDocument> {
    return { ...filter, isDeleted: false, $or: [{ orgId: scope.orgId }, { shared: true }] };
  }
}
