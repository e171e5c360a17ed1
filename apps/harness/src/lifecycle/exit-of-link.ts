import { withWayOut } from '../enrollment/way-out';
import { type LinkEnd } from '../link/link-end';
import { alertOf } from './alert';
import { EXIT, type Exit } from './exit-codes';

/** How the process ends when its link is over for good. A managed agent's successor is nothing to be alarmed at. */
export function exitOfLink(
  { reason, message }: LinkEnd,
  isManaged: boolean,
  credentialsFile: string | undefined,
): Exit & { alert?: ReturnType<typeof alertOf> } {
  if (reason === 'closed' || reason === 'ended') return { code: EXIT.ok };
  if (reason === 'superseded' && isManaged) return { code: EXIT.ok, message };
  return { code: EXIT.refused, message: withWayOut({ reason, message }, credentialsFile), alert: alertOf(reason) };
}
