import { Injectable } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { ORG_ID_PATTERN } from '@reins/shared/ids';
import { Config } from '../config/config';
import {
  type AgentPrincipal,
  type NodePrincipal,
  type PoolPrincipal,
  type Principal,
  UNIVERSE_OWNER,
  userPrincipal,
  type UserPrincipal,
  type ViewerPrincipal,
} from './principal';
import { type Claims, TokenService } from './token.service';
import { TokenRevocations } from './token-revocations';

/** Where the guard learns whether an agent's token still counts. Implemented by the agents' room. */
export abstract class AgentTokenStates {
  /** Undefined where the agent does not exist or was deleted. */
  abstract tokenState(orgId: string, agentId: string): Promise<{ tokenVersion: number; status: string } | undefined>;
}

/** Where the guard looks up an API key. Undefined where no usable key has that value. */
export abstract class ApiKeyVerifier {
  abstract verifyApiKey(key: string): Promise<UserPrincipal | undefined>;
}

/** Where the guard looks up a viewer token. Undefined where no usable one has that value. */
export abstract class ViewerTokenVerifier {
  abstract verifyViewerToken(token: string): Promise<ViewerPrincipal | undefined>;
}

/** Where the guard learns whether a node's token still counts. Implemented by the nodes' room. */
export abstract class NodeTokenStates {
  /** False for one that is unknown, revoked or another node's. */
  abstract nodeTokenCounts(orgId: string, nodeId: string, tokenId: string): Promise<boolean>;
}

/** API keys start with this, so that they are told from JWTs without trying. */
export const API_KEY_PREFIX = 'rk_';
export const VIEWER_TOKEN_PREFIX = 'rv_';

const DEV_ORG = 'default';

/** What of a request says who makes it, as it came. */
export interface Presented {
  authorization?: string | undefined;
  host?: string | undefined;
  /** X-Organization-Id: in which organisation a user of the universe wants to act. */
  organizationId?: unknown;
  /** From the query, on routes that take it from there; only a viewer token counts. */
  viewerToken?: unknown;
}

/** Turns credentials into a principal. The one way in, for HTTP and for the link. */
@Injectable()
export class Authenticator {
  constructor(
    private readonly config: Config,
    private readonly tokens: TokenService,
    private readonly agents: AgentTokenStates,
    private readonly apiKeys: ApiKeyVerifier,
    private readonly viewerTokens: ViewerTokenVerifier,
    private readonly revocations: TokenRevocations,
    private readonly nodeTokens: NodeTokenStates,
  ) {}

  /**
   * The principal behind a request. In dev mode no credentials mean the local administrator, if the request was made to
   * a local name: a page from elsewhere whose name was made to point here is not local.
   */
  async authenticate(presented: Presented): Promise<Principal> {
    return actingIn(presented.organizationId, await this.identify(presented));
  }

  /** The agent behind a token, still allowed to act. Throws 401 for a stale, suspended or foreign one. */
  async authenticateAgent(token: string): Promise<AgentPrincipal> {
    const principal = await this.byToken(token);
    if (principal.kind !== 'agent') throw new ReinsError('token_invalid');
    return principal;
  }

  private async identify({ authorization, host, viewerToken }: Presented): Promise<Principal> {
    if (authorization !== undefined) {
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      if (token === undefined) throw new ReinsError('unauthenticated');
      if (token.startsWith(API_KEY_PREFIX)) return this.byApiKey(token);
      return token.startsWith(VIEWER_TOKEN_PREFIX) ? this.byViewerToken(token) : this.byToken(token);
    }
    if (viewerToken !== undefined) return this.byViewerToken(viewerToken);
    if (this.config.devMode && this.config.isOwnName(host)) return devPrincipal();
    throw new ReinsError('unauthenticated');
  }

  private async byToken(token: string): Promise<Principal> {
    const claims = this.tokens.verify(token);
    if (claims.type === 'agent') return this.asAgent(claims);
    if (claims.type === 'pool') return asPool(claims);
    return claims.type === 'node' ? this.asNode(claims) : this.asUser(claims);
  }

  private asUser(claims: Claims): UserPrincipal {
    if (claims.orgId === '') throw new ReinsError('token_invalid', { message: 'The token names no organisation' });
    const userId = claims.userId === '' ? claims.sub : claims.userId;
    const credential = {
      kind: 'token' as const,
      homeOrgId: claims.orgId,
      names: [...new Set([userId, claims.sub])],
      issuedAtMs: milliseconds(claims.iat),
      expiresAtMs: milliseconds(claims.exp),
    };
    if (this.revocations.refuse(credential))
      throw new ReinsError('token_revoked', { message: 'The token was revoked' });
    const actor = claims.username ?? `user:${userId}`;
    return userPrincipal({ orgId: claims.orgId, userId, actor, roles: claims.roles, credential });
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

  private async asNode({ orgId, sub: nodeId, jti: tokenId = '' }: Claims): Promise<NodePrincipal> {
    if (!(await this.nodeTokens.nodeTokenCounts(orgId, nodeId, tokenId))) {
      throw new ReinsError('token_revoked', { message: 'The token was revoked' });
    }
    return { kind: 'node', orgId, nodeId, tokenId, actor: `node:${nodeId}` };
  }

  private async byApiKey(key: string): Promise<Principal> {
    const principal = await this.apiKeys.verifyApiKey(key);
    if (principal === undefined) throw new ReinsError('token_invalid', { message: 'The API key is not valid' });
    return principal;
  }

  private async byViewerToken(token: unknown): Promise<Principal> {
    const principal = typeof token === 'string' ? await this.viewerTokens.verifyViewerToken(token) : undefined;
    if (principal === undefined) throw new ReinsError('token_invalid', { message: 'The viewer token is not valid' });
    return principal;
  }
}

/**
 * A user of the universe acts as the owner of the organisation it names, and stays itself. From anyone else, and where
 * it is malformed, the header counts for nothing.
 */
function actingIn(organizationId: unknown, principal: Principal): Principal {
  if (typeof organizationId !== 'string' || !ORG_ID_PATTERN.test(organizationId)) return principal;
  if (principal.kind !== 'user' || !principal.universe) return principal;
  return { ...principal, orgId: organizationId, roles: ['organization.owner'] };
}

/** Whether the pod still waits is for the one route it reaches to ask. */
function asPool({ sub: warmPodId }: Claims): PoolPrincipal {
  return { kind: 'pool', orgId: '', warmPodId, actor: `pool:${warmPodId}` };
}

function devPrincipal(): UserPrincipal {
  const credential = { kind: 'dev' as const };
  return userPrincipal({ orgId: DEV_ORG, userId: 'dev', actor: 'user:dev', roles: [UNIVERSE_OWNER], credential });
}

function milliseconds(seconds: number | undefined): number | null {
  return seconds === undefined ? null : seconds * 1000;
}
