import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { ApiKeysRepository } from './api-keys.repository';
import { type Principal, type UserCredential } from './principal';
import { TokenRevocations } from './token-revocations';
import { ViewerTokensRepository } from './viewer-tokens.repository';

const CHECK_EVERY_MS = 2_000;

interface Held {
  principal: Principal;
  end: () => void;
}

/** Ends what was let in once and lasts, such as an event stream, when its credentials no longer count. */
@Injectable()
export class LiveAccess implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger('LiveAccess');
  private readonly held = new Set<Held>();
  private checking: Interval | undefined;
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly viewerTokens: ViewerTokensRepository,
    private readonly apiKeys: ApiKeysRepository,
    private readonly revocations: TokenRevocations,
    private readonly bus: Bus,
  ) {}

  onModuleInit(): void {
    this.checking = startInterval({
      everyMs: CHECK_EVERY_MS,
      run: () => this.check(),
      // Whoever is in stays in until the database can say otherwise.
      onError: (error) => this.logger.warn({ err: error }, 'open streams could not be checked'),
    });
    this.unsubscribe = this.bus.subscribe('access.revoked', () => this.checking?.trigger());
  }

  async onModuleDestroy(): Promise<void> {
    this.unsubscribe?.();
    await this.checking?.stop();
  }

  /** Has `end` called once when the principal's credentials expire or are revoked, within seconds. */
  hold(principal: Principal, end: () => void, released: AbortSignal): void {
    const held = { principal, end };
    this.held.add(held);
    released.addEventListener('abort', () => this.held.delete(held), { once: true });
    if (released.aborted) this.held.delete(held);
  }

  private async check(): Promise<void> {
    if (this.held.size === 0) return;
    const all = [...this.held];
    const now = new Date();
    const [viewers, keys] = await Promise.all([
      living(all.flatMap(viewerTokenOf), (ids) => this.viewerTokens.living(ids, now)),
      living(all.flatMap(apiKeyOf), (ids) => this.apiKeys.living(ids, now)),
    ]);
    for (const held of all) {
      const { principal } = held;
      const counts =
        principal.kind === 'viewer'
          ? viewers.has(principal.tokenId)
          : principal.kind !== 'user' || this.userCounts(principal.credential, keys, now.getTime());
      if (counts || !this.held.delete(held)) continue;
      held.end();
    }
  }

  private userCounts(credential: UserCredential, livingKeys: ReadonlySet<string>, now: number): boolean {
    if (credential.kind === 'dev') return true;
    if (credential.kind === 'apiKey') return livingKeys.has(credential.id);
    return (credential.expiresAtMs ?? Infinity) > now && !this.revocations.refuse(credential);
  }
}

function viewerTokenOf({ principal }: Held): string[] {
  return principal.kind === 'viewer' ? [principal.tokenId] : [];
}

function apiKeyOf({ principal }: Held): string[] {
  return principal.kind === 'user' && principal.credential.kind === 'apiKey' ? [principal.credential.id] : [];
}

/** Asks only where there is something to ask about. */
async function living(ids: string[], ask: (ids: string[]) => Promise<string[]>): Promise<ReadonlySet<string>> {
  return new Set(ids.length === 0 ? [] : await ask([...new Set(ids)]));
}
