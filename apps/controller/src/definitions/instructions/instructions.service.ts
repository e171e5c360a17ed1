import { Injectable } from '@nestjs/common';
import { type AiwmDeleted } from '@reins/shared/api/aiwm';
import { type CreateInstruction, type UpdateInstruction } from '@reins/shared/api/instructions';
import { type OrgScope } from '../../access/principal';
import { AgentsRepository } from '../../agents/agents.repository';
import { AuditService } from '../../audit/audit.service';
import { Bus } from '../../bus/bus';
import { type Editor, newAiwmDocument } from '../../common/aiwm-document';
import { type AiwmFound } from '../../common/aiwm-documents.repository';
import { aiwmNotFound } from '../../common/aiwm-id';
import { refuseInUse } from '../../common/aiwm-in-use';
import { type AiwmListQuery } from '../../common/aiwm-list';
import { type InstructionDocument } from './instruction.schema';
import { toInstructionView } from './instruction.view';
import { InstructionsRepository } from './instructions.repository';

/** Texts that agents are told when they connect. */
@Injectable()
export class InstructionsService {
  constructor(
    private readonly instructions: InstructionsRepository,
    private readonly agents: AgentsRepository,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async create(scope: OrgScope, body: CreateInstruction, by: Editor): Promise<InstructionDocument> {
    const instruction = await this.instructions.create(scope, { ...newAiwmDocument(by), ...body });
    await this.record(scope, by, 'created', undefined, instruction);
    return instruction;
  }

  list(scope: OrgScope, query: AiwmListQuery): Promise<AiwmFound<InstructionDocument>> {
    return this.instructions.list(scope, query);
  }

  /** Not deleted, whatever its status. */
  find(scope: OrgScope, id: string): Promise<InstructionDocument | undefined> {
    return this.instructions.get(scope, id);
  }

  /** Throws 404 instruction_not_found. */
  async get(scope: OrgScope, id: string): Promise<InstructionDocument> {
    return found(id, await this.find(scope, id));
  }

  /** Throws 409 in_use where an agent would lose its text by the new status. */
  async update(scope: OrgScope, id: string, body: UpdateInstruction, by: Editor): Promise<InstructionDocument> {
    const before = await this.get(scope, id);
    if (body.status === 'inactive' && before.status !== 'inactive') await this.refuseIfUsed(scope, id, 'deactivate');
    const change = { ...body, updatedAt: new Date(), updatedBy: by.actor };
    const after = found(id, await this.instructions.update(scope, id, { $set: change }));
    await this.record(scope, by, 'updated', before, after);
    this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'instruction', id });
    return after;
  }

  /** Throws 409 in_use while an agent names it. */
  async delete(scope: OrgScope, id: string, by: Editor): Promise<AiwmDeleted> {
    const before = await this.get(scope, id);
    await this.refuseIfUsed(scope, id, 'delete');
    const at = new Date();
    if (!(await this.instructions.markDeleted(scope, id, at, by))) throw notFound(id);
    await this.record(scope, by, 'deleted', before, undefined);
    this.bus.publish('definition.changed', { orgId: scope.orgId, kind: 'instruction', id });
    return { _id: id, deletedAt: at.toISOString() };
  }

  private async refuseIfUsed(scope: OrgScope, id: string, action: 'deactivate' | 'delete'): Promise<void> {
    refuseInUse(action, 'instruction', await this.agents.usersOf(scope, { instructionId: id }));
  }

  private async record(
    scope: OrgScope,
    { actor }: Editor,
    what: 'created' | 'updated' | 'deleted',
    before: InstructionDocument | undefined,
    after: InstructionDocument | undefined,
  ): Promise<void> {
    await this.audit.record(scope, {
      actor,
      action: `instruction.${what}`,
      target: { type: 'instruction', id: (after ?? before)?._id ?? '' },
      before: before && toInstructionView(before),
      after: after && toInstructionView(after),
    });
  }
}

function found(id: string, instruction: InstructionDocument | undefined): InstructionDocument {
  if (instruction === undefined) throw notFound(id);
  return instruction;
}

const notFound = (id: string) => aiwmNotFound('instruction_not_found', 'Instruction', id);
