import { Injectable } from '@nestjs/common';
import { type OperationView } from '@reins/shared/api/sessions';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { type OperationEvent, type OperationType } from '@reins/shared/state';
import { type OrgScope } from '../access/principal';
import { type Page } from '../database/tenant.repository';
import { EventLog } from '../events/event-log';
import { type OperationDocument } from './operation.schema';
import { OperationsRepository } from './operations.repository';

/** The journal of lifecycle changes. Every change of an operation is also an event of its session. */
@Injectable()
export class OperationsService {
  constructor(
    private readonly operations: OperationsRepository,
    private readonly log: EventLog,
  ) {}

  async open(scope: OrgScope, sessionId: string, type: OperationType, actor: string): Promise<void> {
    const operation = await this.operations.create(scope, {
      _id: newId('operation'),
      sessionId,
      type,
      status: 'Pending',
      actor,
      startedAt: new Date(),
      completedAt: null,
      error: null,
      steps: [],
    });
    await this.tell(scope, operation);
  }

  /** Moves the session's open operation of this type on; does nothing where there is none. */
  async move(
    scope: OrgScope,
    sessionId: string,
    type: OperationType,
    event: OperationEvent,
    error: { code: string; message: string } | null = null,
  ): Promise<void> {
    const operation = await this.operations.transition(scope, sessionId, type, event, error);
    if (operation !== undefined) await this.tell(scope, operation);
  }

  /** Notes a finished step, so that whoever resumes after a crash knows how far it had come. */
  async step(
    scope: OrgScope,
    sessionId: string,
    type: OperationType,
    name: string,
    message: string | null = null,
  ): Promise<void> {
    await this.operations.addStep(scope, sessionId, type, { name, at: new Date(), message });
  }

  async get(scope: OrgScope, id: string): Promise<OperationView> {
    const operation = await this.operations.get(scope, id);
    if (operation === undefined) throw new ReinsError('operation_not_found');
    return toOperationView(operation);
  }

  /** Every session has at least the operation that created it: none means there is no such session. */
  async ofSession(scope: OrgScope, sessionId: string, page: Page): Promise<{ items: OperationView[]; total: number }> {
    const { items, total } = await this.operations.list(scope, { sessionId }, page);
    if (total === 0) throw new ReinsError('session_not_found');
    return { items: items.map(toOperationView), total };
  }

  private async tell(scope: OrgScope, operation: OperationDocument): Promise<void> {
    const { _id: operationId, type, status, error } = operation;
    const data = { operationId, type, status, ...(error && { error }) };
    await this.log.append(scope, operation.sessionId, [{ at: new Date().toISOString(), type: 'operation', data }]);
  }
}

function toOperationView(operation: OperationDocument): OperationView {
  const { _id, sessionId, type, status, actor, startedAt, completedAt, error, steps } = operation;
  return {
    id: _id,
    sessionId,
    type,
    status,
    actor,
    startedAt: startedAt.toISOString(),
    completedAt: completedAt?.toISOString() ?? null,
    durationMs: completedAt === null ? null : completedAt.getTime() - startedAt.getTime(),
    error,
    steps: steps.map(({ name, at, message }) => ({ name, at: at.toISOString(), message })),
  };
}
