import { Injectable } from '@nestjs/common';
import { type CreateTokenRevocation, type TokenRevocationView } from '@reins/shared/api/access';
import { ReinsError } from '@reins/shared/errors';
import { newId } from '@reins/shared/ids';
import { AuditService } from '../audit/audit.service';
import { Bus } from '../bus/bus';
import { type Page } from '../database/tenant.repository';
import { type OrgScope } from './principal';
import { type TokenRevocationDocument } from './token-revocation.schema';
import { TokenRevocations } from './token-revocations';
import { TokenRevocationsRepository } from './token-revocations.repository';

/** Ends tokens that somebody else has issued, and takes that back. */
@Injectable()
export class TokenRevocationsService {
  constructor(
    private readonly repository: TokenRevocationsRepository,
    private readonly inMemory: TokenRevocations,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /** Refuses the tokens issued up to now; on this controller at once, on others within seconds. */
  async create(scope: OrgScope, { userId }: CreateTokenRevocation, actor: string): Promise<TokenRevocationView> {
    const now = new Date();
    const stored = await this.repository.put(scope, {
      _id: newId('tokenRevocation'),
      userId: userId ?? null,
      issuedUpTo: now,
      createdBy: actor,
      createdAt: now,
    });
    await this.takeEffect(scope);
    const after = toView(stored);
    const target = { type: 'tokenRevocation', id: stored._id };
    await this.audit.record(scope, { actor, action: 'tokenRevocation.created', target, before: null, after });
    return after;
  }

  async list(scope: OrgScope, page: Page): Promise<{ items: TokenRevocationView[]; total: number }> {
    const { items, total } = await this.repository.list(scope, page);
    return { items: items.map(toView), total };
  }

  /** Old tokens that have not expired count again. Throws 404 token_revocation_not_found. */
  async lift(scope: OrgScope, id: string, actor: string): Promise<void> {
    const lifted = await this.repository.lift(scope, id);
    if (lifted === undefined) throw new ReinsError('token_revocation_not_found');
    await this.takeEffect(scope);
    const target = { type: 'tokenRevocation', id };
    const before = toView(lifted);
    await this.audit.record(scope, { actor, action: 'tokenRevocation.lifted', target, before, after: null });
  }

  private async takeEffect(scope: OrgScope): Promise<void> {
    await this.inMemory.read();
    this.bus.publish('access.revoked', { orgId: scope.orgId });
  }
}

function toView(stored: TokenRevocationDocument): TokenRevocationView {
  return {
    id: stored._id,
    userId: stored.userId,
    issuedUpTo: stored.issuedUpTo.toISOString(),
    createdBy: stored.createdBy,
    createdAt: stored.createdAt.toISOString(),
  };
}
