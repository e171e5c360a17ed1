import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { operationMachine, type OperationEvent, type OperationType } from '@reins/shared/state';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { type Page, TenantRepository } from '../database/tenant.repository';
import { OPERATION, type OperationDocument, operationSchema, type OperationStep } from './operation.schema';

@Injectable()
export class OperationsRepository extends TenantRepository<OperationDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<OperationDocument>(OPERATION, operationSchema));
  }

  create(scope: OrgScope, operation: Omit<OperationDocument, 'orgId'>): Promise<OperationDocument> {
    return this.insert(scope, operation);
  }

  get(scope: OrgScope, id: string): Promise<OperationDocument | undefined> {
    return this.findOne(scope, { _id: id });
  }

  list(
    scope: OrgScope,
    filter: { sessionId?: string },
    page: Page,
  ): Promise<{ items: OperationDocument[]; total: number }> {
    return this.findPage(scope, filter, page);
  }

  /** Moves the newest open operation of a type on; undefined where none is open. */
  transition(
    scope: OrgScope,
    sessionId: string,
    type: OperationType,
    event: OperationEvent,
    error: OperationDocument['error'],
  ): Promise<OperationDocument | undefined> {
    const stamped = operationMachine.transitions[event].effects?.includes('stampCompletion') === true;
    return this.updateOne(
      scope,
      { sessionId, type, status: { $in: operationMachine.sources(event) } },
      { $set: { status: operationMachine.target(event), error, ...(stamped && { completedAt: new Date() }) } },
      { _id: -1 },
    );
  }

  async addStep(scope: OrgScope, sessionId: string, type: OperationType, step: OperationStep): Promise<void> {
    const open = { sessionId, type, status: { $in: operationMachine.sources('succeed') } };
    await this.updateOne(scope, open, { $push: { steps: step } }, { _id: -1 });
  }
}
