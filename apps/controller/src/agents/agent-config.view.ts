import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Principal } from '../access/principal';
import { maskSecrets } from '../common/mask-secrets';
import { type VersionedConfiguration } from './agent-configuration.service';
import { withAgentToken } from './mcp-servers';

export type TokenFields = Omit<ConnectResponse, keyof VersionedConfiguration>;

const NO_TOKEN: TokenFields = {
  token: '',
  accessToken: '',
  expiresIn: 0,
  tokenType: 'bearer',
  refreshToken: null,
  refreshExpiresIn: 0,
};

/** The connect answer: everything in clear, and the token also where the agent's MCP client looks for it. */
export function connectAnswer(fields: TokenFields, configuration: VersionedConfiguration): ConnectResponse {
  const { mcpServers, link } = configuration;
  return { ...fields, ...configuration, mcpServers: withAgentToken(mcpServers, link.url, fields.token) };
}

/**
 * The connect answer without a token. The agent itself sees settings in clear and, in the header, the token it came with;
 * everyone else sees masks and a placeholder.
 */
export function withoutTokens(
  configuration: VersionedConfiguration,
  caller: Principal,
  token: string | undefined,
): ConnectResponse {
  const { settings, mcpServers, link } = configuration;
  if (caller.kind === 'agent') {
    return { ...NO_TOKEN, ...configuration, mcpServers: withAgentToken(mcpServers, link.url, token) };
  }
  const masked = maskSecrets(mcpServers) as ConnectResponse['mcpServers'];
  return {
    ...NO_TOKEN,
    ...configuration,
    settings: maskSecrets(settings),
    mcpServers: withAgentToken(masked, link.url),
  };
}

/** Distinct for whoever sees masks: their bodies differ. Weak, because headers with tokens do not count. */
export function configEtag({ configVersion }: VersionedConfiguration, caller: Principal): string {
  return `W/"${configVersion}${caller.kind === 'agent' ? '' : '-masked'}"`;
}
