import { type LauncherName, type Placement } from '@reins/shared/api/placement';
import { type CreateSession } from '@reins/shared/api/sessions';
import { ReinsError } from '@reins/shared/errors';
import { type WorkerDocument } from '../definitions/workers/worker.schema';
import { type ExpectedLaunch } from '../launchers/launcher.port';
import { type SessionDocument } from './session.schema';

export interface SessionPlace {
  launcher: LauncherName;
  placement: Placement | null;
  /** The agent named by the caller. */
  agentId: string | null;
}

/** Reason of sessions whose harness could not be started; the loop tries again. */
export const PUT_OFF = 'launcher_away';
const SPREAD: Placement = { mode: 'min_load', labels: {} };

/**
 * Where a session runs: as its caller says, else as its worker says, else by the controller's default. A named agent or
 * a placement means the external launcher. Throws 400 where the caller says two things at once.
 */
export function placeOf(
  request: Pick<CreateSession, 'agentId' | 'placement' | 'selectionMode'>,
  worker: Pick<WorkerDocument, 'launcher' | 'placement'>,
  byDefault: LauncherName,
): SessionPlace {
  const { agentId, placement, selectionMode } = request;
  const said = Object.entries({ agentId, placement, selectionMode }).flatMap(([name, value]) => (value ? [name] : []));
  if (said.length > 1) throw contradiction(said);
  if (agentId !== undefined) return { launcher: 'external', placement: null, agentId };
  if (selectionMode !== undefined) return external({ ...SPREAD, mode: selectionMode });
  if (placement !== undefined) return external(placement);
  const launcher = worker.launcher ?? (worker.placement === undefined ? byDefault : 'external');
  return launcher === 'external' ? external(worker.placement ?? SPREAD) : { launcher, placement: null, agentId: null };
}

function external(placement: Placement): SessionPlace {
  return { launcher: 'external', placement, agentId: null };
}

function contradiction(said: readonly string[]): ReinsError {
  const message = `${said.join(' and ')} each say where the session runs; give one of them`;
  return new ReinsError('validation_failed', {
    details: said.map((path) => ({ path, message, code: 'custom' })),
  });
}

/** What their launcher is told of sessions that should have a harness; not of those whose start was put off. */
export function expectedOf(launched: readonly SessionDocument[]): ExpectedLaunch[] {
  const expected = launched.filter(
    ({ phase, statusReason }) => phase !== 'provisioning' || statusReason?.code !== PUT_OFF,
  );
  return expected.map(({ _id, orgId, launchId, launchedAt, agentId, launcher, phase, pod = null, status }) => ({
    orgId,
    sessionId: _id,
    launchId: launchId ?? '',
    // One that waits for its host has no place there yet.
    agentId: launcher === 'external' && phase === 'provisioning' ? null : agentId,
    pod,
    launchedAt,
    isStarting: phase === 'provisioning' || phase === 'connecting',
    isWanted: phase !== null || status === 'ending',
  }));
}
