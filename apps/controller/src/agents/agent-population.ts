import { Injectable } from '@nestjs/common';
import { type AgentView, type PopulatedAgentView } from '@reins/shared/api/agents';
import { ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { toInstructionView } from '../definitions/instructions/instruction.view';
import { InstructionsService } from '../definitions/instructions/instructions.service';

/** `?populate=instruction` and nothing else. Throws 400 validation_failed for any other value. */
export function parsePopulate(value: unknown): 'instruction' | undefined {
  if (value === undefined || value === 'instruction') return value;
  const details = [{ path: 'populate', message: 'must be instruction', code: 'invalid_query' }];
  throw new ReinsError('validation_failed', { details });
}

/** Puts the instruction where its id is, of the caller's organisation only; null where it is gone. */
@Injectable()
export class AgentPopulation {
  constructor(private readonly instructions: InstructionsService) {}

  async populate(scope: OrgScope, agents: readonly AgentView[]): Promise<PopulatedAgentView[]> {
    const ids = new Set(agents.flatMap(({ instructionId }) => instructionId ?? []));
    const found = await Promise.all([...ids].map((id) => this.instructions.find(scope, id)));
    const views = new Map(found.flatMap((one) => (one === undefined ? [] : [[one._id, toInstructionView(one)]])));
    return agents.map(({ instructionId, ...agent }) => {
      return instructionId === undefined ? agent : { ...agent, instructionId: views.get(instructionId) ?? null };
    });
  }
}
