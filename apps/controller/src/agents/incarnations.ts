import { type AgentDocument } from './agent.schema';

/** Superseded incarnations that are remembered; each is one restart of the harness. */
const REMEMBERED = 100;
const CONFLICT_WINDOW_MS = 60_000;
const CONFLICT_SUPERSEDES = 3;

type Known = Pick<AgentDocument, 'incarnation' | 'supersededIncarnations'>;

export type IncarnationVerdict =
  /** The process that is known already, or a client without incarnations. */
  | { kind: 'same' | 'anonymous' }
  /** It was replaced and must not come back. */
  | { kind: 'superseded' }
  /** A process not seen before takes over. */
  | { kind: 'new'; superseded: AgentDocument['supersededIncarnations']; conflict: boolean };

/** What an accepted connect of this incarnation means. Newer is whose connect was accepted later. */
export function judgeIncarnation(known: Known, incarnation: string | undefined, now: Date): IncarnationVerdict {
  if (incarnation === undefined) return { kind: 'anonymous' };
  if (known.incarnation === incarnation) return { kind: 'same' };
  if (known.supersededIncarnations.some((old) => old.incarnation === incarnation)) return { kind: 'superseded' };
  if (known.incarnation === undefined)
    return { kind: 'new', superseded: known.supersededIncarnations, conflict: false };
  const superseded = [...known.supersededIncarnations, { incarnation: known.incarnation, at: now }].slice(-REMEMBERED);
  const recent = superseded.filter(({ at }) => at.getTime() > now.getTime() - CONFLICT_WINDOW_MS);
  return { kind: 'new', superseded, conflict: recent.length >= CONFLICT_SUPERSEDES };
}
