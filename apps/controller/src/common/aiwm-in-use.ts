import { ReinsError } from '@reins/shared/errors';

/** The agents that refer to something; `agents` are the first of `total`. */
export interface AiwmUsers {
  agents: { _id: string; name: string }[];
  total: number;
  /** Organisations other than the caller's whose agents refer to it too. They are counted, never named. */
  otherOrganisations?: number;
}

/** Throws 409 in_use in AIWM's words where somebody uses it. */
export function refuseInUse(
  action: 'deactivate' | 'delete' | 'withdraw',
  noun: string,
  { agents, total, otherOrganisations = 0 }: AiwmUsers,
): void {
  if (total === 0 && otherOrganisations === 0) return;
  const names = agents.map(({ _id, name }) => `${name} (ID: ${_id})`);
  if (total > agents.length) names.push(`and ${total - agents.length} more`);
  if (otherOrganisations > 0) names.push(`agents of ${otherOrganisations} other organisation(s)`);
  throw new ReinsError('in_use', {
    message: `Cannot ${action} ${noun}. It is currently being used by the following active agents: ${names.join(', ')}`,
    details: { activeAgents: agents.map(({ _id, name }) => ({ id: _id, name })), total, otherOrganisations },
  });
}
