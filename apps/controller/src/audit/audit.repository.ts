import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
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
}
