import { type HostRequest } from '../launcher.port';
import { type Host } from './host';

interface Requirement {
  met: (host: Host, request: HostRequest) => boolean;
  /** Said where none of these hosts, which meet all requirements before, meets this one. */
  unmet: (hosts: readonly Host[], request: HostRequest) => string;
}

const MOST_NAMED = 5;

/** In the order in which it helps a person to hear of them: what an agent is, what it may do, how it is just now. */
const REQUIREMENTS: readonly Requirement[] = [
  {
    met: ({ id }, { agentId }) => agentId === null || id === agentId,
    unmet: (_hosts, { agentId }) =>
      agentId === null ? 'there is no autonomous agent' : `agent '${agentId}' does not exist any more`,
  },
  {
    met: ({ labels }, { placement }) =>
      Object.entries(placement?.labels ?? {}).every(
        ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
      ),
    unmet: (_hosts, { placement }) => {
      const labels = Object.entries(placement?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
      return `no agent has the labels ${labels.join(', ')}`;
    },
  },
  {
    met: ({ supportedTypes }, { cliType }) => supportedTypes?.includes(cliType) === true,
    unmet: (hosts, { cliType }) => {
      const supported = [...new Set(hosts.flatMap(({ supportedTypes }) => supportedTypes ?? []))].sort();
      return `no such agent supports '${cliType}': ${named(hosts)}. Supported types: [${supported.join(', ')}]`;
    },
  },
  {
    met: ({ status }) => status === 'active',
    unmet: (hosts) => `no such agent is active: ${named(hosts, ({ status }) => status)}`,
  },
  {
    met: ({ acceptsSessions }) => acceptsSessions,
    unmet: (hosts) => `no such agent accepts new sessions (acceptsSessions is false): ${named(hosts)}`,
  },
  {
    met: ({ isConnected }) => isConnected,
    unmet: (hosts) => `no such agent is connected: ${named(hosts)}`,
  },
  {
    met: ({ boundSessions, capacity }) => boundSessions.length < capacity,
    unmet: (hosts) =>
      `no such agent has a free place: ${named(hosts, (host) => `${host.boundSessions.length} of ${host.capacity}`)}`,
  },
  {
    met: ({ id }, { refusedBy }) => !refusedBy.includes(id),
    unmet: (hosts) => `every such agent has just refused it, and is asked again soon: ${named(hosts)}`,
  },
];

/** The hosts that could take the session now, or in plain words which requirement nobody meets. */
export function suitable(hosts: readonly Host[], request: HostRequest): { hosts: Host[] } | { unmet: string } {
  let left = [...hosts];
  for (const { met, unmet } of REQUIREMENTS) {
    const before = left;
    left = before.filter((host) => met(host, request));
    if (left.length === 0) return { unmet: unmet(before, request) };
  }
  return { hosts: left };
}

function named(hosts: readonly Host[], say: (host: Host) => string = () => ''): string {
  const more = hosts.length > MOST_NAMED ? `, and ${hosts.length - MOST_NAMED} more` : '';
  return (
    hosts
      .slice(0, MOST_NAMED)
      .map((host) => `${host.name} ${say(host)}`.trim())
      .join(', ') + more
  );
}
