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

/** What a role may do, each including the ones before it. */
export const PERMISSIONS = ['read', 'write', 'delete', 'admin'] as const;
export type Permission = (typeof PERMISSIONS)[number];

interface Base {
  orgId: string;
  /** Who is named in operations and the audit trail. */
  actor: string;
}

/** A person or program with a role. */
export interface UserPrincipal extends Base {
  kind: 'user';
  userId: string;
  roles: readonly string[];
  permissions: ReadonlySet<Permission>;
}

/** A connected agent: reaches that agent and its sessions only, whatever roles its claims list. */
export interface AgentPrincipal extends Base {
  kind: 'agent';
  agentId: string;
}

export type Principal = UserPrincipal | AgentPrincipal;

/** Permissions of AIWM's role names; an unknown role has none. */
export function permissionsOf(roles: readonly string[]): ReadonlySet<Permission> {
  const granted = new Set<Permission>();
  for (const role of roles) for (const permission of permissionsOfRole(role)) granted.add(permission);
  return granted;
}

function permissionsOfRole(role: string): readonly Permission[] {
  if (role === 'universe.owner' || role === 'organization.owner') return PERMISSIONS;
  if (role === 'organization.editor') return ['read', 'write', 'delete'];
  return role === 'organization.viewer' ? ['read'] : [];
}

/** Throws 403 in AIWM's words unless the principal is a user with the permission. */
export function demand(principal: Principal, permission: Permission): UserPrincipal {
  if (principal.kind !== 'user' || !principal.permissions.has(permission)) {
    const verb = { read: 'read', write: 'create or update', delete: 'delete', admin: 'administer' }[permission];
    throw new ReinsError('forbidden', { message: `You do not have permission to ${verb}.` });
  }
  return principal;
}

export function scopeOf(principal: Principal): OrgScope {
  return orgScope(principal.orgId);
}
