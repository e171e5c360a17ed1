import { createHash } from 'node:crypto';
import { type ConnectResponse } from '@reins/shared/link/connect';

/** The connect answer without what is made anew for each connect. */
export type AgentConfiguration = Omit<
  ConnectResponse,
  'token' | 'accessToken' | 'expiresIn' | 'tokenType' | 'refreshToken' | 'refreshExpiresIn' | 'configVersion'
>;

/**
 * A version that changes exactly when the configuration does: a digest over its JSON with sorted keys. Left out is what
 * changes without an edit: the conversations to resume, and headers, which carry tokens.
 */
export function configVersionOf(configuration: AgentConfiguration): string {
  const { session, mcpServers, ...rest } = configuration;
  const stable = {
    ...rest,
    session: session === null ? null : { ...session, resume: null },
    mcpServers: Object.fromEntries(
      Object.entries(mcpServers).map(([name, { headers: _headers, ...server }]) => [name, server]),
    ),
  };
  return createHash('sha256')
    .update(JSON.stringify(sorted(stable)))
    .digest('hex')
    .slice(0, 32);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}
