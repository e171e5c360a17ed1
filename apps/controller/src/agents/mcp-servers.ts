import { type ToolView } from '@reins/shared/api/tools';
import { type ConnectResponse } from '@reins/shared/link/connect';

type McpServers = ConnectResponse['mcpServers'];

/** The server under which the controller itself offers the agent's `api` tools. */
export const BUILTIN_SERVER = 'Builtin';

/** Shown to whoever is not the agent. */
const PLACEHOLDER = '<USER_ACCESS_TOKEN>';

/**
 * The servers an agent finds its tools at: each tool of type mcp at its own endpoint, all of type api at the
 * controller's. Without tokens; of two tools with one name the first counts.
 */
export function mcpServersOf(tools: readonly ToolView[], publicUrl: string): McpServers {
  const servers = new Map<string, McpServers[string]>();
  for (const { type, name, transport, endpoint } of tools) {
    if (type !== 'mcp' || endpoint === undefined || servers.has(name)) continue;
    servers.set(name, { type: transport ?? 'http', url: endpoint });
  }
  if (tools.some(({ type }) => type === 'api')) {
    servers.set(BUILTIN_SERVER, { type: 'http', url: builtinUrl(publicUrl) });
  }
  return Object.fromEntries(servers);
}

/** The servers with the agent's token for the controller's own one, and for no other, whatever its name. */
export function withAgentToken(servers: McpServers, publicUrl: string, token = PLACEHOLDER): McpServers {
  const builtin = servers[BUILTIN_SERVER];
  if (builtin?.url !== builtinUrl(publicUrl)) return servers;
  return { ...servers, [BUILTIN_SERVER]: { ...builtin, headers: { Authorization: `Bearer ${token}` } } };
}

function builtinUrl(publicUrl: string): string {
  return `${publicUrl}/mcp`;
}
