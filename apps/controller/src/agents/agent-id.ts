import { type PipeTransform } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { OBJECT_ID_PATTERN } from '@reins/shared/ids';
import { type Principal } from '../access/principal';

/** The `:id` of an agent's routes: 24 hexadecimal digits in lower case, or 400 invalid_id. */
export class AgentIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!OBJECT_ID_PATTERN.test(value)) throw new ReinsError('invalid_id');
    return value.toLowerCase();
  }
}

/** Throws 403 unless the caller is this very agent. */
export function demandAgent(caller: Principal, agentId: string): void {
  if (caller.kind === 'agent' && caller.agentId === agentId) return;
  throw new ReinsError('forbidden', { message: "This needs the agent's own token." });
}
