import { type ConnectResponse } from '@reins/shared/link/connect';
import { type Principal } from '../access/principal';
import { type VersionedConfiguration } from './agent-configuration.service';
import { maskSecrets } from '../common/mask-secrets';

/** The connect answer without a token. Only the agent itself sees settings and headers in clear. */
export function withoutTokens(configuration: VersionedConfiguration, caller: Principal): ConnectResponse {
  const token = {
    token: '',
    accessToken: '',
    expiresIn: 0,
    tokenType: 'bearer' as const,
    refreshToken: null,
    refreshExpiresIn: 0 as const,
  };
  if (caller.kind === 'agent') return { ...token, ...configuration };
  const { settings, mcpServers } = configuration;
  return {
    ...token,
    ...configuration,
    settings: maskSecrets(settings),
    mcpServers: maskSecrets(mcpServers) as ConnectResponse['mcpServers'],
  };
}
