import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { type BusMessages } from '../bus/bus';
import { instructionSchema } from './instructions/instruction.schema';
import { skillSchema } from './skills/skill.schema';
import { systemInstructionsSchema } from './system-instructions/system-instructions.schema';
import { toolSchema } from './tools/tool.schema';
import { workerSchema } from './workers/worker.schema';

export type DefinitionEdit = BusMessages['definition.changed'];

/** Where each kind is stored, and the field that says when it was edited. */
const SOURCES = [
  { kind: 'instruction', schema: instructionSchema, field: 'updatedAt' },
  { kind: 'tool', schema: toolSchema, field: 'updatedAt' },
  { kind: 'worker', schema: workerSchema, field: 'updatedAt' },
  { kind: 'skill', schema: skillSchema, field: 'updatedAt' },
  { kind: 'systemInstructions', schema: systemInstructionsSchema, field: 'createdAt' },
] as const;

/** What was edited lately, in any organisation: for the loop that makes up for doorbells nobody heard. */
@Injectable()
export class RecentEditsRepository {
  constructor(@InjectConnection() private readonly connection: Connection) {}

  async since(at: Date): Promise<DefinitionEdit[]> {
    const found = await Promise.all(
      SOURCES.map(async ({ kind, schema, field }) => {
        const name = schema.get('collection');
        if (name === undefined) throw new Error(`the collection of ${kind} has no name`);
        const edited = this.connection
          .collection<{ _id: string; orgId: string }>(name)
          .find({ [field]: { $gte: at } }, { projection: { orgId: 1 } });
        return (await edited.toArray()).map(({ _id, orgId }) => ({ orgId, kind, id: _id }));
      }),
    );
    return found.flat();
  }
}
