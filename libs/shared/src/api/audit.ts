import { z } from 'zod';
import { idPattern } from '../ids';

const text = z.string().min(1).max(256);
const time = z.iso.datetime({ offset: true });

/** `GET /admin/audit`. Anything but these filters is refused. */
export const AuditQuery = z.strictObject({
  actor: text.optional(),
  action: text.optional(),
  targetType: text.optional(),
  targetId: text.optional(),
  from: time.optional(),
  to: time.optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  /** `nextCursor` of the page before. */
  cursor: z.string().regex(idPattern('audit'), 'must be the nextCursor of a page').optional(),
});
export type AuditQuery = z.infer<typeof AuditQuery>;

/** One change somebody made, secrets masked. */
export interface AuditView {
  id: string;
  at: string;
  /** Who, as people read it. */
  actor: string;
  /** Who, without a doubt: `user:…`, `key:…` or `agent:…` with the id; null where the controller did it by itself. */
  principal: string | null;
  /** `<noun>.<past participle>`. */
  action: string;
  target: { type: string; id: string };
  /** The fields that changed; null where there was nothing before or is nothing after. */
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  /** Of the request, as in its answer and in the log. */
  correlationId: string | null;
}

/** Newest first. */
export interface AuditPage {
  items: AuditView[];
  nextCursor: string | null;
}
