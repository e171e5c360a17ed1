import { type V1Job, type V1ObjectMeta, type V1Pod } from '@kubernetes/client-node';
import { LABELS, launchName, ORG_ANNOTATION } from '../pod/names';
import { type Failure, type Observed, verdictOf } from './verdict';

/** Which session a start was for, as its objects say. */
export interface LaunchIdentity {
  orgId: string;
  sessionId: string;
  launchId: string;
}

export function identityOf(metadata: V1ObjectMeta | undefined): LaunchIdentity | undefined {
  const sessionId = metadata?.labels?.[LABELS.session];
  const launchId = metadata?.labels?.[LABELS.launch];
  const orgId = metadata?.annotations?.[ORG_ANNOTATION];
  return sessionId && launchId && orgId ? { orgId, sessionId, launchId } : undefined;
}

/** What there is to tell: once that it failed, and each note once while it does not start. */
export type News = { kind: 'failed' | 'waiting'; failure: Failure };

/** One start of a harness as it is seen in the cluster. */
export class LaunchState {
  private readonly seen: Observed = { pod: undefined, job: undefined, notCreated: undefined, isGone: false };
  private told: string | undefined;
  private isOver = false;

  constructor(readonly identity: LaunchIdentity) {}

  podSeen(pod: V1Pod): void {
    this.seen.pod = pod;
  }

  podGone(pod: V1Pod): void {
    this.seen.pod = pod;
    this.seen.isGone = true;
  }

  jobSeen(job: V1Job): void {
    this.seen.job = job;
  }

  /** Without its pod there is nothing left of it. */
  jobGone(): void {
    this.seen.isGone ||= this.seen.pod === undefined;
  }

  /** What the Job's controller said when it could not make the pod. */
  set notCreated(message: string | undefined) {
    this.seen.notCreated = message;
  }

  get jobName(): string {
    return launchName(this.identity.sessionId, this.identity.launchId);
  }

  /** Told of, and gone from the cluster. */
  get isFinished(): boolean {
    return this.isOver && this.seen.isGone;
  }

  /** Undefined where nothing is new. What could not be told is `retell`ed and comes again. */
  news(nowMs: number, unschedulableMs: number): News | undefined {
    if (this.isOver) return undefined;
    const verdict = verdictOf(this.seen, unschedulableMs);
    if (verdict.state === 'running') return undefined;
    if (verdict.state === 'failed') return this.over(verdict.failure);
    const { note, failsAt } = verdict;
    if (note === undefined) return undefined;
    if (failsAt !== undefined && failsAt <= nowMs) return this.over(note);
    if (this.told === note.message) return undefined;
    this.told = note.message;
    return { kind: 'waiting', failure: note };
  }

  retell(): void {
    this.isOver = false;
    this.told = undefined;
  }

  private over(failure: Failure): News {
    this.isOver = true;
    return { kind: 'failed', failure };
  }
}
