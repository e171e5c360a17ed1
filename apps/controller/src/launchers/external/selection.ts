import { parseSelectionMode } from '@reins/shared/api/placement';
import { ReinsError } from '@reins/shared/errors';
import { type Rng } from '@reins/shared/util';
import { type Host } from './host';

/** What decides between equally loaded hosts, in this order; a host that does not report one comes last. */
const LOAD_METRICS = ['activeSessions', 'queueDepth', 'cpu'] as const;

/**
 * The hosts that may be given the session, best first. Those that are equal come in the order in which they were enrolled. Throws placement_ambiguous where `exact` finds more than one.
 */
export function ranked(hosts: readonly Host[], mode: string, rng: Rng): Host[] {
  const selection = parseSelectionMode(mode) ?? { mode: 'random' };
  const enrolled = [...hosts].sort((a, b) => a.enrolledAt - b.enrolledAt || (a.id < b.id ? -1 : 1));
  switch (selection.mode) {
    case 'first':
      return enrolled;
    case 'last':
      return enrolled.reverse();
    case 'random':
      return shuffled(enrolled, rng);
    case 'exact':
      if (enrolled.length > 1) throw ambiguous(enrolled);
      return enrolled;
    case 'min_load':
      return enrolled.sort(byLoad);
    case 'min':
    case 'max': {
      const sign = selection.mode === 'min' ? 1 : -1;
      const reporting = enrolled.filter((host) => number(host, selection.metric) !== undefined);
      const value = (host: Host): number => number(host, selection.metric) ?? 0;
      return orRandom(
        reporting.sort((a, b) => sign * (value(a) - value(b))),
        enrolled,
        rng,
      );
    }
    case 'first_success':
      return orRandom(
        enrolled.filter((host) => succeeds(host, selection.metric)),
        enrolled,
        rng,
      );
  }
}

/** Where no host reports the metric, the choice is left to chance. */
function orRandom(chosen: Host[], all: readonly Host[], rng: Rng): Host[] {
  return chosen.length > 0 ? chosen : shuffled(all, rng);
}

function byLoad(a: Host, b: Host): number {
  const share = (host: Host): number => host.boundSessions.length / host.capacity;
  const differences = [
    share(a) - share(b),
    ...LOAD_METRICS.map((metric) => compare(number(a, metric), number(b, metric))),
  ];
  return differences.find((difference) => difference !== 0) ?? 0;
}

function compare(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  return b === undefined ? -1 : a - b;
}

function metricOf({ metrics }: Host, name: string): unknown {
  return Object.hasOwn(metrics, name) ? metrics[name] : undefined;
}

function number(host: Host, metric: string): number | undefined {
  const value = metricOf(host, metric);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** A finite number counts whatever it is; anything else must be true in the usual sense. */
function succeeds(host: Host, metric: string): boolean {
  const value = metricOf(host, metric);
  return typeof value === 'number' ? Number.isFinite(value) : Boolean(value);
}

function shuffled(hosts: readonly Host[], rng: Rng): Host[] {
  const left = [...hosts];
  const drawn: Host[] = [];
  while (left.length > 0) drawn.push(...left.splice(Math.floor(rng.next() * left.length), 1));
  return drawn;
}

function ambiguous(hosts: readonly Host[]): ReinsError {
  const candidates = hosts.map(({ id, name }) => ({ agentId: id, name }));
  const names = hosts.map(({ id, name }) => `${name} (${id})`).join(', ');
  return new ReinsError('placement_ambiguous', {
    message: `Multiple agents could serve the session, and 'exact' allows one only: ${names}`,
    details: { candidates },
  });
}
