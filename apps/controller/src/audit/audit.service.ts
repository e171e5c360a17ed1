import { Injectable, Logger } from '@nestjs/common';
import { type AuditPage, type AuditQuery } from '@reins/shared/api/audit';
import { newId } from '@reins/shared/ids';
import { type Counter } from 'prom-client';
import { type OrgScope } from '../access/principal';
import { requestContext } from '../common/request-context';
import { Config } from '../config/config';
import { Metrics } from '../metrics/metrics';
import { AuditRepository } from './audit.repository';
import { type AuditDocument } from './audit.schema';
import { toAuditView } from './audit.view';
import { storableChange } from './storable-change';

/** What changed, as the room that changed it knows it. `before` and `after` are whole views; what differs is kept. */
export interface AuditEntry {
  actor: string;
  /** `<noun>.<past participle>`, for example `instruction.updated`. */
  action: string;
  target: { type: string; id: string };
  before?: object | null;
  after?: object | null;
}

const DAY_MS = 86_400_000;

/** Who changed what, when; secrets masked before they are stored. */
@Injectable()
export class AuditService {
  private readonly logger = new Logger('Audit');
  private readonly failures: Counter;

  constructor(
    private readonly entries: AuditRepository,
    private readonly config: Config,
    metrics: Metrics,
  ) {
    this.failures = metrics.counter(
      'reins_audit_failures_total',
      'Changes whose entry in the audit trail could not be stored; each is in the log as audit.unrecorded',
    );
  }

  /**
   * Notes a change that was made. Never throws: the change is durable already, and refusing the request would make its
   * caller believe it was not. An entry that cannot be stored goes to the log as a whole, at level error.
   */
  async record(scope: OrgScope, { actor, action, target, before, after }: AuditEntry): Promise<void> {
    const at = new Date();
    const context = requestContext();
    const entry: Omit<AuditDocument, 'orgId'> = {
      _id: newId('audit'),
      at,
      actor,
      principal: context?.principal ?? null,
      action,
      target,
      ...storableChange(before, after),
      correlationId: context?.correlationId ?? null,
      expiresAt: new Date(at.getTime() + this.config.env.AUDIT_RETENTION_DAYS * DAY_MS),
    };
    try {
      await this.entries.add(scope, entry);
    } catch (error) {
      this.failures.inc();
      this.logger.error({ err: error, entry: { ...entry, orgId: scope.orgId } }, 'audit.unrecorded');
    }
  }

  /** Newest first. */
  async list(scope: OrgScope, query: AuditQuery): Promise<AuditPage> {
    const found = await this.entries.page(scope, query, query.limit + 1);
    const items = found.slice(0, query.limit).map(toAuditView);
    const more = found.length > query.limit;
    return { items, nextCursor: more ? (items[items.length - 1]?.id ?? null) : null };
  }
}
