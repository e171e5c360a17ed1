import { z } from 'zod';
import { OBJECT_ID_PATTERN, idPattern } from '../ids';

/** How long `POST /pool/claims` is held open while there is no session. */
export const POOL_HOLD_MS = 25_000;

export const PoolClaim = z.object({
  /** Of the process that asks: by it is known that it, and no other, became the session's harness. */
  incarnation: z.string().regex(idPattern('incarnation'), 'must be the id of an incarnation'),
});
export type PoolClaim = z.infer<typeof PoolClaim>;

/** Everything a waiting harness becomes a session's with; whatever else there is to know, connect tells. */
export const PoolAssignment = z.object({
  agentId: z.string().regex(OBJECT_ID_PATTERN),
  secret: z.string().min(1),
  /** Variables it goes on with, such as the keys of models. */
  environment: z.record(z.string(), z.string()),
});
export type PoolAssignment = z.infer<typeof PoolAssignment>;

export const PoolClaimResponse = z.object({
  /** Null: nothing came in time; ask again. */
  assignment: PoolAssignment.nullable(),
});
export type PoolClaimResponse = z.infer<typeof PoolClaimResponse>;
