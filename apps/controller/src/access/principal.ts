import { type AccessScope, type Area, type Permission, PERMISSIONS } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';

declare const scoped: unique symbol;

/**
 * The tenant key. Every repository method takes one, and it can only be made here, from a verified principal or by the
 * controller's own loops for a document they hold, so a query without its tenant does not compile.
 */
export interface OrgScope {
  readonly orgId: string;
  readonly [scoped]: true;
}

/** Only for code that has the organisation from a stored document or a verified token. */
export function orgScope(orgId: string): OrgScope {
  return { orgId } as OrgScope;
}

interface Base {
  orgId: string;
  /** Who is named in operations and the audit trail. */
  actor: string;
}

/** What a user came with, for those who have to know whether it still counts later. */
export type UserCredential =
  | { kind: 'dev' }
  | {
      kind: 'token';
      homeOrgId: string;
      names: readonly string[];
      issuedAtMs: number | null;
      expiresAtMs: number | null;
    }
  | { kind: 'apiKey'; id: string };

/** A person or program with a role. */
export interface UserPrincipal extends Base {
  kind: 'user';
  userId: string;
  roles: readonly string[];
  permissions: ReadonlySet<Permission>;
  /** What an API key is narrowed to; undefined is everything. */
  scopes: readonly AccessScope[] | undefined;
  /** Whether it stands above the organisations, in whichever one it acts now. */
  universe: boolean;
  credential: UserCredential;
}

/** A connected agent: reaches that agent and its sessions only, whatever roles its claims list. */
export interface AgentPrincipal extends Base {
  kind: 'agent';
  agentId: string;
}

/** Whoever was given a link to one session: may read that one and nothing else. */
export interface ViewerPrincipal extends Base {
  kind: 'viewer';
  tokenId: string;
  sessionId: string;
}

/** A machine: may say that it is alive, and read what is known of it. */
export interface NodePrincipal extends Base {
  kind: 'node';
  nodeId: string;
  tokenId: string;
}

/** A pod that was started ahead: may wait for a session, and belongs to nobody until it has one. */
export interface PoolPrincipal extends Base {
  kind: 'pool';
  warmPodId: string;
}

export type Principal = UserPrincipal | AgentPrincipal | ViewerPrincipal | NodePrincipal | PoolPrincipal;

export const UNIVERSE_OWNER = 'universe.owner';

type NewUser = Pick<UserPrincipal, 'orgId' | 'userId' | 'actor' | 'roles' | 'credential'> & {
  scopes?: readonly AccessScope[];
};

/** A user with the permissions of its roles. */
export function userPrincipal({ scopes, ...user }: NewUser): UserPrincipal {
  const { roles } = user;
  return { kind: 'user', ...user, scopes, permissions: permissionsOf(roles), universe: roles.includes(UNIVERSE_OWNER) };
}

/** Permissions of AIWM's role names; an unknown role has none. */
export function permissionsOf(roles: readonly string[]): ReadonlySet<Permission> {
  const granted = new Set<Permission>();
  for (const role of roles) for (const permission of permissionsOfRole(role)) granted.add(permission);
  return granted;
}

function permissionsOfRole(role: string): readonly Permission[] {
  if (role === UNIVERSE_OWNER || role === 'organization.owner') return PERMISSIONS;
  if (role === 'organization.editor') return ['read', 'write', 'delete'];
  return role === 'organization.viewer' ? ['read'] : [];
}

/** Whether scopes let a permission through in an area. */
export function scopesAllow(scopes: readonly AccessScope[] | undefined, area: Area, permission: Permission): boolean {
  if (scopes === undefined) return true;
  return scopes.includes('*') || scopes.includes(`${area}:*`) || scopes.includes(`${area}:${permission}`);
}

/**
 * Throws 403 in AIWM's words unless the principal is a user with the permission, and, where an area is named, with a
 * scope for it. The guard has asked for the area's scope before any handler runs.
 */
export function demand(principal: Principal, permission: Permission, area?: Area): UserPrincipal {
  if (principal.kind !== 'user' || !principal.permissions.has(permission)) {
    const verb = { read: 'read', write: 'create or update', delete: 'delete', admin: 'administer' }[permission];
    throw new ReinsError('forbidden', { message: `You do not have permission to ${verb}.` });
  }
  if (area !== undefined && !scopesAllow(principal.scopes, area, permission)) {
    const missingScope = `${area}:${permission}`;
    throw new ReinsError('forbidden', {
      message: `The API key lacks the scope ${missingScope}.`,
      details: { missingScope },
    });
  }
  return principal;
}

/** Throws 403 unless the caller is this very node. */
export function demandNode(principal: Principal, nodeId: string): NodePrincipal {
  if (principal.kind === 'node' && principal.nodeId === nodeId) return principal;
  throw new ReinsError('forbidden', { message: "This needs the node's own token." });
}

/** Throws 403 unless the caller is a warm pod. */
export function demandPool(principal: Principal): PoolPrincipal {
  if (principal.kind === 'pool') return principal;
  throw new ReinsError('forbidden', { message: 'This needs the token of a warm pod.' });
}

/** Who it is without a doubt: names can be alike, ids cannot. */
export function principalId(principal: Principal): string {
  if (principal.kind === 'agent') return `agent:${principal.agentId}`;
  if (principal.kind === 'viewer') return `viewer:${principal.tokenId}`;
  if (principal.kind === 'node') return `node:${principal.nodeId}`;
  if (principal.kind === 'pool') return `pool:${principal.warmPodId}`;
  return principal.credential.kind === 'apiKey' ? `key:${principal.credential.id}` : `user:${principal.userId}`;
}

export function scopeOf(principal: Principal): OrgScope {
  return orgScope(principal.orgId);
}
