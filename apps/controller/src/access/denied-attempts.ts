import { Injectable } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { AuditService } from '../audit/audit.service';
import { type AuthenticatedRequest } from './decorators';
import { principalId, scopeOf, type UserPrincipal } from './principal';

const NOTED_EVERY_MS = 60_000;
/** More pairs of caller and route than this in a minute are forgotten early, the oldest first. */
const MOST_REMEMBERED = 10_000;

/** Puts refused tries at administration into the audit trail: once a minute for a caller and a route. */
@Injectable()
export class DeniedAttempts {
  private readonly notedAt = new Map<string, number>();

  constructor(private readonly audit: AuditService) {}

  async note(principal: UserPrincipal, request: AuthenticatedRequest): Promise<void> {
    const route = `${request.method} ${routeOf(request)}`;
    if (!this.isDue(`${principal.orgId} ${principalId(principal)} ${route}`)) return;
    await this.audit.record(scopeOf(principal), {
      actor: principal.actor,
      action: 'access.denied',
      target: { type: 'route', id: route },
      after: { roles: principal.roles, scopes: principal.scopes ?? ['*'] },
    });
  }

  private isDue(key: string): boolean {
    const now = systemClock.monotonic();
    const last = this.notedAt.get(key);
    if (last !== undefined && now - last < NOTED_EVERY_MS) return false;
    this.notedAt.delete(key);
    this.notedAt.set(key, now);
    for (const oldest of this.notedAt.keys()) {
      if (this.notedAt.size <= MOST_REMEMBERED) break;
      this.notedAt.delete(oldest);
    }
    return true;
  }
}

/** The pattern, so that a caller cannot fill the trail by trying ids. */
function routeOf(request: AuthenticatedRequest): string {
  const { path } = request.route as { path: string };
  return path;
}
