import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Connection } from 'mongoose';
import { AiwmDocumentsRepository } from '../../common/aiwm-documents.repository';
import { INSTRUCTION, type InstructionDocument, instructionSchema } from './instruction.schema';

@Injectable()
export class InstructionsRepository extends AiwmDocumentsRepository<InstructionDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<InstructionDocument>(INSTRUCTION, instructionSchema));
  }
}
