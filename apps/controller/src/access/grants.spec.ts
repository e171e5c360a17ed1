import { ACCESS_SCOPES, type AccessScope } from '@reins/shared/api/access';
import { AGENT_ROLES } from '@reins/shared/api/agents';
import fc from 'fast-check';
import { demandGrantable } from './grants';
import { demand, userPrincipal, type UserPrincipal } from './principal';
import { AREAS, PERMISSIONS } from '@reins/shared/api/access';

const holder = (roles: readonly string[], scopes?: readonly AccessScope[]): UserPrincipal =>
  userPrincipal({
    orgId: 'o',
    userId: 'u',
    actor: 'user:u',
    roles,
    credential: { kind: 'apiKey', id: 'key-1' },
    ...(scopes && { scopes }),
  });

const may = (principal: UserPrincipal): string[] =>
  AREAS.flatMap((area) =>
    PERMISSIONS.filter((permission) => {
      try {
        return demand(principal, permission, area) === principal;
      } catch {
        return false;
      }
    }).map((permission) => `${area}:${permission}`),
  );

const granted = (giver: UserPrincipal, roles: readonly string[], scopes: readonly AccessScope[]): boolean => {
  try {
    demandGrantable(giver, roles, scopes);
    return true;
  } catch {
    return false;
  }
};

describe('demandGrantable', () => {
  it('lets a person with all permissions give everything', () => {
    expect(granted(holder(['organization.owner']), ['organization.owner'], ['*'])).toBe(true);
  });

  it('names what is beyond the giver', () => {
    const giver = holder(['organization.owner'], ['access:*', 'sessions:read']);
    expect(() => demandGrantable(giver, ['organization.editor'], ['sessions:*'])).toThrow(
      'A key cannot be given what its maker lacks: sessions:write, sessions:delete.',
    );
  });

  it('counts roles and scopes together: a wide scope on a narrow role is narrow', () => {
    const giver = holder(['organization.owner'], ['access:*', 'sessions:read']);
    expect(granted(giver, ['organization.viewer'], ['sessions:*', 'access:*'])).toBe(true);
    expect(granted(giver, ['organization.viewer'], ['*'])).toBe(false);
  });

  it('never lets a key exceed its maker, whatever both are made of', () => {
    const roles = fc.subarray([...AGENT_ROLES], { minLength: 1 });
    const scopes = fc.subarray([...ACCESS_SCOPES], { minLength: 1 });
    fc.assert(
      fc.property(roles, scopes, roles, scopes, (givenRoles, givenScopes, makerRoles, makerScopes) => {
        const maker = holder(makerRoles, makerScopes);
        const allowed = new Set(may(maker));
        const within = may(holder(givenRoles, givenScopes)).every((action) => allowed.has(action));
        expect(granted(maker, givenRoles, givenScopes)).toBe(within);
      }),
    );
  });
});
