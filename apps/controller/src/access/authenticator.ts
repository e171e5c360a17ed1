import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { Config } from '../config/config';
import { type AgentPrincipal, permissionsOf, type Principal, type UserPrincipal } from './principal';
import { type Claims, TokenService } from './token.service';

/** Where the guard learns whether an agent's token still counts. Implemented by the agents' room. */
export abstract class AgentTokenStates {
  /** Undefined where the agent does not exist or was deleted. */
  abstract tokenState(orgId: string, agentId: string): Promise<{ tokenVersion: number; status: string } | undefined>;
}

/** Where the guard looks up an API key. Undefined where no usable key has that value. */
export abstract class ApiKeyVerifier {
  abstract verifyApiKey(key: string): Promise<UserPrincipal | undefined>;
}

/** API keys start with this, so that they are told from JWTs without trying. */
export const API_KEY_PREFIX = 'rk_';

const DEV_ORG = 'default';

/** Turns credentials into a principal. The one way in, for HTTP and for the link. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly config: Config,
    private readonly tokens: TokenService,
    private readonly agents: AgentTokenStates,
    private readonly apiKeys: ApiKeyVerifier,
  ) {}

  /**
   * The principal behind an Authorization header. In dev mode no header means the local administrator, if the request
   * was made to a local name: a page from elsewhere whose name was made to point here is not local.
   */
  async authenticate(authorization: string | undefined, host?: string): Promise<Principal> {
    if (authorization === undefined) {
      if (this.config.devMode && this.config.isOwnName(host)) return devPrincipal();
      throw new ReinsError('unauthenticated');
    }
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw new ReinsError('unauthenticated');
    return token.startsWith(API_KEY_PREFIX) ? this.byApiKey(token) : this.byToken(token);
  }

  /** The agent behind a token, still allowed to act. Throws 401 for a stale, suspended or foreign one. */
  async authenticateAgent(token: string): Promise<AgentPrincipal> {
    const principal = await this.byToken(token);
    if (principal.kind !== 'agent') throw new ReinsError('token_invalid');
    return principal;
  }

  private async byToken(token: string): Promise<Principal> {
    const claims = await this.tokens.verify(token);
    if (claims.type === 'agent') return this.asAgent(claims);
    if (claims.orgId === '') throw new ReinsError('token_invalid', { message: 'The token names no organisation' });
    const userId = claims.userId === '' ? claims.sub : claims.userId;
    return {
      kind: 'user',
      orgId: claims.orgId,
      userId,
      actor: claims.username ?? `user:${userId}`,
      roles: claims.roles,
      permissions: permissionsOf(claims.roles),
    };
  }

  private async asAgent(claims: Claims): Promise<AgentPrincipal> {
    const agentId = claims.agentId === '' ? claims.sub : claims.agentId;
    const state = await this.agents.tokenState(claims.orgId, agentId);
    // A deleted agent gets 404 from the routes about it: the token itself was once right.
    if (state === undefined) throw new ReinsError('agent_not_found', { message: `Agent with ID ${agentId} not found` });
    if (state.status === 'suspended') throw new ReinsError('agent_suspended');
    if (claims.tv !== state.tokenVersion) throw new ReinsError('token_revoked');
    return { kind: 'agent', orgId: claims.orgId, agentId, actor: `agent:${agentId}` };
  }

  private async byApiKey(key: string): Promise<Principal> {
    const principal = await this.apiKeys.verifyApiKey(key);
    if (principal === undefined) throw new ReinsError('token_invalid', { message: 'The API key is not valid' });
    return principal;
  }
}

function devPrincipal(): UserPrincipal {
  const roles = ['universe.owner'];
  return { kind: 'user', orgId: DEV_ORG, userId: 'dev', actor: 'user:dev', roles, permissions: permissionsOf(roles) };
}
