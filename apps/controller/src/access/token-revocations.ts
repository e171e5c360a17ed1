import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { type UserCredential } from './principal';
import { TokenRevocationsRepository } from './token-revocations.repository';

/** How long another controller's revocation may go unnoticed here. */
const READ_EVERY_MS = 2_000;

type TokenCredential = Extract<UserCredential, { kind: 'token' }>;

/** All revocations in memory, so that no request has to ask the database about them. */
@Injectable()
export class TokenRevocations implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('TokenRevocations');
  /** By organisation and user, milliseconds; the user of a whole organisation is null. */
  private issuedUpTo = new Map<string, Map<string | null, number>>();
  private reading: Interval | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly revocations: TokenRevocationsRepository,
    private readonly bus: Bus,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.read();
    this.unsubscribe = this.bus.subscribe('access.revoked', () => this.read());
    this.reading = startInterval({
      everyMs: READ_EVERY_MS,
      jitter: 0.1,
      run: () => this.read(),
      // What was known before goes on being refused.
      onError: (error) => this.logger.warn({ err: error }, 'token revocations could not be read'),
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    await this.reading?.stop();
  }

  /** Whether the token was issued before its user's, or its whole organisation's, were revoked. */
  refuse({ homeOrgId, names, issuedAtMs }: TokenCredential): boolean {
    const ofOrg = this.issuedUpTo.get(homeOrgId);
    if (ofOrg === undefined) return false;
    // A token that does not say when it was issued may be as old as any.
    return [null, ...names].some((name) => (ofOrg.get(name) ?? -Infinity) >= (issuedAtMs ?? 0));
  }

  /** Takes over what is stored. Throws where the database does not answer. */
  async read(): Promise<void> {
    const byOrg = new Map<string, Map<string | null, number>>();
    for (const { orgId, userId, issuedUpTo } of await this.revocations.all()) {
      const ofOrg = byOrg.get(orgId) ?? new Map<string | null, number>();
      byOrg.set(orgId, ofOrg.set(userId, issuedUpTo.getTime()));
    }
    this.issuedUpTo = byOrg;
  }
}
