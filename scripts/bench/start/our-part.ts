import { type Verdict } from '../support/report';
import { figure } from '../support/stats';

const GOAL = 0.1;

/** The share of the total that is left when its floor is taken off. */
export function ourPart(what: string, total: number, floor: number): Verdict {
  const share = (total - floor) / total;
  return {
    what: `our part of it: ${what}, p50`,
    value: `${figure(share * 100)} % (${figure(total - floor)} ms of ${figure(total)} ms)`,
    goal: `≤ ${GOAL * 100} %`,
    met: share <= GOAL,
  };
}
