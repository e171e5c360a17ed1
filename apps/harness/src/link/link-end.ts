import { type ByeReason } from '@reins/shared/link/frames';
import { type HttpRefusal } from './http';

type FinalBye = Exclude<ByeReason, 'reauth'>;

/** Why the link is over for good, in a sentence for the person who runs the harness. */
export interface LinkEnd {
  reason: FinalBye | 'refused' | 'not_found' | 'closed';
  message: string;
}

/** What a refusal of connect means for good; undefined where another attempt may have more luck. */
export function finalRefusal(refusal: HttpRefusal): LinkEnd | undefined {
  if (refusal.code === 'agent_superseded') return { reason: 'superseded', message: refusal.message };
  const hint = FINAL_STATUSES[refusal.status];
  if (hint === undefined) return undefined;
  return { reason: refusal.status === 404 ? 'not_found' : 'refused', message: `${refusal.message}: ${hint}` };
}

/** What a goodbye of the controller means; undefined where it only asks for another connect. */
export function finalBye(reason: ByeReason, message: string | undefined): LinkEnd | undefined {
  return reason === 'reauth' ? undefined : { reason, message: message ?? BYE_SENTENCES[reason] };
}

const FINAL_STATUSES: Readonly<Record<number, string>> = {
  400: 'the controller does not accept how this harness connects',
  401: 'check AIWM_AGENT_ID and AIWM_AGENT_SECRET, and that the agent is not suspended',
  403: 'this agent may not connect here',
  404: 'the agent does not exist (any more); check AIWM_AGENT_ID',
};

const BYE_SENTENCES: Readonly<Record<FinalBye, string>> = {
  superseded: 'a newer harness of this agent has taken over',
  unsupported: 'the controller does not speak this version of the protocol',
  ended: 'the session has ended',
  revoked: "the agent's access has been revoked",
};
