import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { newObjectId } from '@reins/shared/ids';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../../access/principal';
import { isDuplicateKey, type Page, TenantRepository } from '../../database/tenant.repository';
import {
  SYSTEM_INSTRUCTIONS,
  type SystemInstructionsDocument,
  systemInstructionsSchema,
} from './system-instructions.schema';

const NEWEST_FIRST = { version: -1 } as const;

@Injectable()
export class SystemInstructionsRepository extends TenantRepository<SystemInstructionsDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<SystemInstructionsDocument>(SYSTEM_INSTRUCTIONS, systemInstructionsSchema));
  }

  async current(scope: OrgScope): Promise<SystemInstructionsDocument | undefined> {
    const { items } = await this.list(scope, { limit: 1, offset: 0 });
    return items[0];
  }

  list(scope: OrgScope, page: Page): Promise<{ items: SystemInstructionsDocument[]; total: number }> {
    return this.findPage(scope, {}, page, NEWEST_FIRST);
  }

  /** Undefined where another edit took the number. */
  async add(
    scope: OrgScope,
    version: Omit<SystemInstructionsDocument, '_id' | 'orgId'>,
  ): Promise<SystemInstructionsDocument | undefined> {
    try {
      return await this.insert(scope, { ...version, _id: newObjectId() });
    } catch (error) {
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }
}
