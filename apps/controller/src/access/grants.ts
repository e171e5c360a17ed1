import { type AccessScope, AREAS, PERMISSIONS } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';
import { permissionsOf, scopesAllow, type UserPrincipal } from './principal';

/** Throws 403 where roles and scopes together would allow something that whoever hands them out may not do. */
export function demandGrantable(giver: UserPrincipal, roles: readonly string[], scopes: readonly AccessScope[]): void {
  const given = permissionsOf(roles);
  const beyond = AREAS.flatMap((area) =>
    PERMISSIONS.filter(
      (permission) =>
        given.has(permission) &&
        scopesAllow(scopes, area, permission) &&
        !(giver.permissions.has(permission) && scopesAllow(giver.scopes, area, permission)),
    ).map((permission) => `${area}:${permission}`),
  );
  if (beyond.length === 0) return;
  throw new ReinsError('forbidden', {
    message: `A key cannot be given what its maker lacks: ${beyond.join(', ')}.`,
    details: { beyond },
  });
}
