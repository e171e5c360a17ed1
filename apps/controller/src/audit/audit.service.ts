import { Injectable } from '@nestjs/common';
import { newId } from '@reins/shared/ids';
import { type OrgScope } from '../access/principal';
import { maskSecrets } from '../common/mask-secrets';
import { AuditRepository } from './audit.repository';

/** What changed, as the room that changed it knows it. `before` and `after` are whole views; what differs is kept. */
export interface AuditEntry {
  actor: string;
  /** `<noun>.<past participle>`, for example `instruction.updated`. */
  action: string;
  target: { type: string; id: string };
  before?: object | null;
  after?: object | null;
}

const RETENTION_MS = 365 * 86_400_000;

/** Who changed what, when: kept for a year, secrets masked before they are stored. */
@Injectable()
export class AuditService {
  constructor(private readonly entries: AuditRepository) {}

  async record(scope: OrgScope, { actor, action, target, before, after }: AuditEntry): Promise<void> {
    const at = new Date();
    const changed = differences(plain(before), plain(after));
    await this.entries.add(scope, {
      _id: newId('audit'),
      at,
      actor,
      action,
      target,
      before: changed.before === null ? null : maskSecrets(changed.before),
      after: changed.after === null ? null : maskSecrets(changed.after),
      correlationId: null,
      expiresAt: new Date(at.getTime() + RETENTION_MS),
    });
  }
}

type Fields = Record<string, unknown> | null;

/** As JSON has it: dates as text, nothing undefined. */
function plain(view: object | null | undefined): Fields {
  return view === undefined || view === null ? null : (JSON.parse(JSON.stringify(view)) as Record<string, unknown>);
}

function differences(before: Fields, after: Fields): { before: Fields; after: Fields } {
  if (before === null || after === null) return { before, after };
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...keys].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const pick = (fields: Record<string, unknown>) =>
    Object.fromEntries(changed.filter((key) => key in fields).map((key) => [key, fields[key]]));
  return { before: pick(before), after: pick(after) };
}
