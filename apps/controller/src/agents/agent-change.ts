import { CreateAgent, type UpdateAgent } from '@reins/shared/api/agents';
import { type FieldIssue, ReinsError } from '@reins/shared/errors';
import { OBJECT_ID_PATTERN } from '@reins/shared/ids';
import { unmaskSecrets } from '../common/mask-secrets';
import { type AgentDocument } from './agent.schema';
import { envSettingIssues } from './env-settings';
import { mergePatch } from './merge-patch';

const REFERENCES = ['instructionId', 'guardrailId', 'nodeId'] as const;
type Reference = (typeof REFERENCES)[number];

export interface AgentChange {
  fields: Partial<Omit<AgentDocument, '_id' | 'orgId'>>;
  /** References the agent has no more. */
  cleared: Reference[];
  /** Whether its tokens end. */
  revokes: boolean;
}

/** The stored fields of a new agent, its secret apart. Throws 400 for settings no `.env` can hold. */
export function fieldsOf({ secret: _secret, ...body }: CreateAgent): AgentChange['fields'] {
  checkSettings(body.settings);
  return withReferences(body).fields;
}

/**
 * What an edit changes: settings are merged, masked values keep what is stored, null clears a reference. Throws 400 for
 * another type and for settings that cannot be stored.
 */
export function changeOf({ type, settings, ...body }: UpdateAgent, stored: AgentDocument): AgentChange {
  if (type !== undefined && type !== stored.type) throw typeIsImmutable(stored.type, type);
  const { fields, cleared } = withReferences(body);
  if (settings !== undefined) fields.settings = mergedSettings(settings, stored.settings);
  const revokes =
    (fields.status === 'suspended' && stored.status !== 'suspended') ||
    (fields.role !== undefined && fields.role !== stored.role);
  return { fields, cleared, revokes };
}

type Body = Omit<Partial<CreateAgent>, 'secret'>;

function withReferences({ instructionId, guardrailId, nodeId, allowedToolIds, ...fields }: Body) {
  const given = { instructionId, guardrailId, nodeId };
  const change: Pick<AgentChange, 'fields' | 'cleared'> = { fields, cleared: [] };
  for (const name of REFERENCES) {
    const id = given[name];
    if (id === undefined) continue;
    if (id === null || id === '') change.cleared.push(name);
    else change.fields[name] = normal(id);
  }
  if (allowedToolIds !== undefined) change.fields.allowedToolIds = [...new Set(allowedToolIds.map(normal))];
  return change;
}

/** Ids are stored in lower case, and compared as they are stored. */
function normal(id: string): string {
  return OBJECT_ID_PATTERN.test(id) ? id.toLowerCase() : id;
}

function mergedSettings(patch: Record<string, unknown>, stored: Record<string, unknown>): Record<string, unknown> {
  const merged = mergePatch(stored, unmaskSecrets(patch, stored)) as Record<string, unknown>;
  // Each patch may be small and the sum of them not.
  const bounded = CreateAgent.shape.settings.safeParse(merged);
  if (!bounded.success) {
    const details = bounded.error.issues.map(({ message, code }) => ({ path: 'settings', message, code }));
    throw new ReinsError('validation_failed', { details });
  }
  checkSettings(merged);
  return merged;
}

function checkSettings(settings: Record<string, unknown>): void {
  const details: FieldIssue[] = envSettingIssues(settings);
  if (details.length > 0) throw new ReinsError('validation_failed', { details });
}

function typeIsImmutable(from: string, to: string): ReinsError {
  return new ReinsError('agent_type_immutable', {
    message:
      `Cannot change agent type from '${from}' to '${to}'. ` +
      'Please delete and recreate the agent with the desired type.',
  });
}
