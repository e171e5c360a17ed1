import { type ToolExecution, type UpdateTool } from '@reins/shared/api/tools';
import { type FieldIssue, ReinsError } from '@reins/shared/errors';
import { UNIVERSE_OWNER, type UserPrincipal } from '../../access/principal';
import { MASK, unmaskSecrets } from '../../common/mask-secrets';
import { type ToolDocument } from './tool.schema';
import { maskExecution } from './tool.view';

/**
 * Whether a `public` tool of this caller is for every organisation: only the universe owner's, and not while he acts as
 * the owner of an organisation he chose. What an organisation's user calls public stays within the organisation.
 */
export function mayShare({ universe, roles }: UserPrincipal): boolean {
  return universe && roles.includes(UNIVERSE_OWNER);
}

/**
 * The edit as it is meant: wherever it sends back what it was shown masked, the stored value stays. Throws 400 for an
 * execution of a tool that is not of type api, and for masked headers sent along with another address: who may edit a
 * tool must not be able to send its keys, which nobody is shown, to another server.
 */
export function unmaskTool(body: UpdateTool, stored: ToolDocument): UpdateTool {
  const { environment, execution } = body;
  const details = executionIssues(execution, stored);
  if (details.length > 0) throw new ReinsError('validation_failed', { details });
  return {
    ...body,
    ...(environment !== undefined && {
      environment: unmaskSecrets(environment, stored.environment ?? {}) as Record<string, string>,
    }),
    ...(execution !== undefined && { execution: unmaskExecution(execution, stored.execution) }),
  };
}

function executionIssues(edited: ToolExecution | undefined, stored: ToolDocument): FieldIssue[] {
  if (edited === undefined) return [];
  if (stored.type !== 'api') return [issue('execution', 'is for tools of type api')];
  if (stored.execution !== undefined && new URL(edited.baseUrl).origin === new URL(stored.execution.baseUrl).origin) {
    return [];
  }
  const masked = Object.entries(edited.headers).filter(([, value]) => value === MASK);
  return masked.map(([name]) => issue(`execution.headers.${name}`, 'must be given again with another address'));
}

function unmaskExecution(edited: ToolExecution, stored: ToolExecution | undefined): ToolExecution {
  if (stored === undefined) return edited;
  return unmaskSecrets(edited, stored, maskExecution(stored)) as ToolExecution;
}

function issue(path: string, message: string): FieldIssue {
  return { path, message, code: 'custom' };
}
