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
    const found = await Promise.all([...new Set(ids)].map((id) => this.get(scope, id)));
    return found.filter((tool) => tool !== undefined);
  }

  protected override readable(scope: OrgScope, filter: QueryFilter<ToolDocument>): QueryFilter<ToolDocument> {
    return { ...filter, isDeleted: false, $or: [{ orgId: scope.orgId }, { shared: true }] };
  }
}
