import { Injectable } from '@nestjs/common';
import { type PromptResponse, type TurnView } from '@reins/shared/api/sessions';
import { type ErrorCode, ERRORS, ReinsError } from '@reins/shared/errors';
import { type OrgScope } from '../access/principal';
import { BlobStore, blobText } from '../blobs/blob-store.port';
import { type TurnDocument } from '../turns/turn.schema';

/** Turns an ended turn into what its caller gets. */
@Injectable()
export class TurnAnswers {
  constructor(private readonly blobs: BlobStore) {}

  /** The answer of `/prompt`. Throws turn_failed, turn_timeout, turn_cancelled or turn_interrupted. */
  async answer(scope: OrgScope, turn: TurnDocument): Promise<PromptResponse> {
    const error = errorOf(turn);
    if (error !== undefined) throw error;
    const result = resultOf(turn);
    const { blobId } = turn.result?.raw ?? { blobId: null };
    if (blobId !== null) {
      const blob = await this.blobs.open(scope, turn.sessionId, blobId);
      if (blob !== undefined) result.raw.content = await blobText(blob.bytes);
    }
    return result;
  }
}

/** Why an ended turn is not a success, as the error its caller gets; undefined for a complete one. */
export function errorOf(turn: TurnDocument): ReinsError | undefined {
  const code = codeOf(turn);
  if (code === undefined) return undefined;
  const { stopReason, error } = turn.result ?? { stopReason: null, error: null };
  const message = error?.message;
  return new ReinsError(code, {
    message: message === undefined ? ERRORS[code].message : `${ERRORS[code].message}: ${message}`,
    details: { requestId: turn._id, stopReason, ...(error?.stderrTail && { stderr: error.stderrTail }) },
  });
}

function codeOf(turn: TurnDocument): ErrorCode | undefined {
  switch (turn.status) {
    case 'failed':
      return turn.result?.stopReason === 'timeout' ? 'turn_timeout' : 'turn_failed';
    case 'cancelled':
      return 'turn_cancelled';
    case 'interrupted':
      return 'turn_interrupted';
    default:
      return undefined;
  }
}

export function resultOf(turn: TurnDocument): PromptResponse {
  const { result } = turn;
  return {
    requestId: turn._id,
    response: result?.response ?? '',
    artifacts: result?.artifacts ?? [],
    tokensIn: result?.tokensIn ?? 0,
    tokensOut: result?.tokensOut ?? 0,
    durationMs: durationOf(turn) ?? 0,
    raw: {
      format: result?.raw?.format ?? 'text',
      content: result?.raw?.content ?? '',
      metadata: { model: result?.model ?? null, requestId: turn._id, cliType: turn.cliType },
    },
  };
}

/** A turn as telemetry shows it. */
export function toTurnView(turn: TurnDocument): TurnView {
  const { result } = turn;
  return {
    id: turn._id,
    subsessionId: turn.lane === 'main' ? null : turn.lane,
    prompt: turn.prompt,
    response: result?.response ?? '',
    status: turn.status,
    stopReason: result?.stopReason ?? null,
    error: result?.error ?? null,
    attempt: turn.attempt,
    tokensIn: result?.tokensIn ?? 0,
    tokensOut: result?.tokensOut ?? 0,
    costUsd: result?.costUsd ?? null,
    durationMs: durationOf(turn),
    artifacts: result?.artifacts ?? [],
    breadcrumbs: turn.breadcrumbs,
    createdAt: turn.createdAt.toISOString(),
    startedAt: turn.startedAt?.toISOString() ?? null,
    completedAt: turn.completedAt?.toISOString() ?? null,
    result:
      result === null
        ? null
        : { ...resultOf(turn), raw: { ...resultOf(turn).raw, blobId: result.raw?.blobId ?? null } },
  };
}

/** Working time; waiting in the queue does not count. */
function durationOf(turn: TurnDocument): number | null {
  if (turn.startedAt === null || turn.completedAt === null) return null;
  return turn.completedAt.getTime() - turn.startedAt.getTime();
}
