import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type AuditQuery } from '@reins/shared/api/audit';
import { type Connection, type QueryFilter } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { TenantRepository } from '../database/tenant.repository';
import { AUDIT, type AuditDocument, auditSchema } from './audit.schema';

@Injectable()
export class AuditRepository extends TenantRepository<AuditDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<AuditDocument>(AUDIT, auditSchema));
  }

  add(scope: OrgScope, entry: Omit<AuditDocument, 'orgId'>): Promise<AuditDocument> {
    return this.insert(scope, entry);
  }

  /** Newest first, from behind the cursor on. */
  page(scope: OrgScope, query: AuditQuery, limit: number): Promise<AuditDocument[]> {
    const { actor, action, targetType, targetId, from, to, cursor } = query;
    const filter: QueryFilter<AuditDocument> = {
      ...(actor !== undefined && { actor }),
      ...(action !== undefined && { action }),
      ...(targetType !== undefined && { 'target.type': targetType }),
      ...(targetId !== undefined && { 'target.id': targetId }),
      ...((from !== undefined || to !== undefined) && {
        at: { ...(from !== undefined && { $gte: new Date(from) }), ...(to !== undefined && { $lte: new Date(to) }) },
      }),
      ...(cursor !== undefined && { _id: { $lt: cursor } }),
    };
    return this.model.find(this.scoped(scope, filter)).sort({ _id: -1 }).limit(limit).lean<AuditDocument[]>().exec();
  }
}
