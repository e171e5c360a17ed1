import { ReinsError } from '@reins/shared/errors';
import { seededRng } from '@reins/shared/util';
import { type HostRequest } from '../launcher.port';
import { type Host } from './host';
import { suitable } from './requirements';
import { ranked } from './selection';

const host = (id: string, more: Partial<Host> = {}): Host => ({
  id,
  name: `host-${id}`,
  enrolledAt: 0,
  status: 'active',
  acceptsSessions: true,
  isConnected: true,
  labels: {},
  supportedTypes: ['javascript'],
  capacity: 4,
  boundSessions: [],
  metrics: {},
  ...more,
});

const request = (more: Partial<HostRequest> = {}): HostRequest => ({
  sessionId: 'sess-asking',
  cliType: 'javascript',
  placement: { mode: 'min_load', labels: {} },
  agentId: null,
  refusedBy: [],
  ...more,
});

const bound = (count: number): string[] => Array.from({ length: count }, (_, index) => `sess-${index}`);
const order = (hosts: readonly Host[], mode: string): string =>
  ranked(hosts, mode, seededRng(1))
    .map(({ id }) => id)
    .join('');

describe('the order of hosts', () => {
  const three = [host('b'), host('c'), host('a')];

  it.each([
    ['first', three, 'abc'],
    ['last', three, 'cba'],
    ['exact', [host('a')], 'a'],
    ['min_load', [host('a', { boundSessions: bound(2) }), host('b', { boundSessions: bound(1) })], 'ba'],
    ['min_load', [host('a', { boundSessions: bound(2) }), host('b', { boundSessions: bound(3), capacity: 10 })], 'ba'],
    ['min_load', [host('a', { metrics: { cpu: 90 } }), host('b', { metrics: { cpu: 10 } })], 'ba'],
    ['min_load', [host('a', { metrics: { queueDepth: 5, cpu: 1 } }), host('b', { metrics: { queueDepth: 1 } })], 'ba'],
    ['min_load', [host('a'), host('b', { metrics: { activeSessions: 7 } })], 'ba'],
    ['min_load', [host('a'), host('b')], 'ab'],
    ['select:min:gpu', [host('a', { metrics: { gpu: 3 } }), host('b', { metrics: { gpu: 1 } }), host('c')], 'ba'],
    ['select:max:gpu', [host('a', { metrics: { gpu: 3 } }), host('b', { metrics: { gpu: 9 } }), host('c')], 'ba'],
    [
      'select:min:gpu',
      [
        host('a', { metrics: { gpu: 'low' } }),
        host('b', { metrics: { gpu: Infinity } }),
        host('c', { metrics: { gpu: 2 } }),
      ],
      'c',
    ],
    [
      'select:first_success:ok',
      [host('a'), host('b', { metrics: { ok: false } }), host('c', { metrics: { ok: 'yes' } })],
      'c',
    ],
    ['select:first_success:ok', [host('a', { metrics: { ok: NaN } }), host('b', { metrics: { ok: 0 } })], 'b'],
  ])('%s of %j is as defined', (mode, hosts, expected) => {
    expect(order(hosts, mode)).toBe(expected);
  });

  it('exact names every candidate where there is more than one', () => {
    const thrown = (): Host[] => ranked([host('a'), host('b')], 'exact', seededRng(1));
    expect(thrown).toThrow(/host-a \(a\), host-b \(b\)/);
    expect(thrown).toThrow(ReinsError);
  });

  it('random gives every host its turn, and every host once', () => {
    const rng = seededRng(7);
    const firsts = Array.from({ length: 300 }, () => ranked(three, 'random', rng).map(({ id }) => id));
    for (const id of ['a', 'b', 'c']) expect(firsts.filter(([first]) => first === id).length).toBeGreaterThan(60);
    for (const drawn of firsts) expect([...drawn].sort()).toEqual(['a', 'b', 'c']);
  });

  it('a metric that nobody reports leaves the choice to chance, and a name of every object is no metric', () => {
    for (const mode of ['select:min:gpu', 'select:first_success:gpu', 'select:first_success:constructor']) {
      expect([...order(three, mode)].sort().join('')).toBe('abc');
    }
  });

  it('the order of enrolment is by time, not by id', () => {
    const hosts = [host('a', { enrolledAt: 3 }), host('b', { enrolledAt: 1 }), host('c', { enrolledAt: 2 })];
    expect(order(hosts, 'first')).toBe('bca');
    expect(order(hosts, 'last')).toBe('acb');
  });

  it('leaves the given list as it is', () => {
    const given = [host('b'), host('a')];
    order(given, 'first');
    expect(given.map(({ id }) => id)).toEqual(['b', 'a']);
  });
});

describe('the requirements', () => {
  const cases: [string, Host[], Partial<HostRequest>, RegExp][] = [
    ['no agent at all', [], {}, /there is no autonomous agent/],
    ['the agent it is bound to is gone', [host('a')], { agentId: 'z' }, /'z' does not exist any more/],
    [
      'labels',
      [host('a', { labels: { gpu: 'no' } })],
      { placement: { mode: 'first', labels: { gpu: 'yes', zone: 'x' } } },
      /labels gpu=yes, zone=x/,
    ],
    ['the kind of agent', [host('a')], { cliType: 'codex' }, /supports 'codex'.*Supported types: \[javascript\]/],
    [
      'a harness that never told what it supports',
      [host('a', { supportedTypes: undefined })],
      {},
      /supports 'javascript'/,
    ],
    ['an inactive agent', [host('a', { status: 'busy' })], {}, /active: host-a busy/],
    ['a disabled agent', [host('a', { acceptsSessions: false })], {}, /acceptsSessions/],
    ['an absent agent', [host('a', { isConnected: false })], {}, /connected: host-a/],
    ['full agents', [host('a', { boundSessions: bound(4) })], {}, /free place: host-a 4 of 4/],
    ['an agent without capacity', [host('a', { capacity: 0 })], {}, /0 of 0/],
    ['an agent that refused', [host('a')], { refusedBy: ['a'] }, /refused it/],
  ];

  it.each(cases)('say in words that nobody meets: %s', (_name, hosts, more, words) => {
    const outcome = suitable(hosts, request(more));
    expect('unmet' in outcome ? outcome.unmet : 'met').toMatch(words);
  });

  it('leave those that meet all of them', () => {
    const hosts = [
      host('a', { labels: { gpu: 'yes', more: 'x' } }),
      host('b'),
      host('c', { labels: { gpu: 'yes' }, isConnected: false }),
    ];
    const outcome = suitable(hosts, request({ placement: { mode: 'first', labels: { gpu: 'yes' } } }));
    expect('hosts' in outcome && outcome.hosts.map(({ id }) => id)).toEqual(['a']);
  });

  it('name the first requirement that fails, not one that would fail too', () => {
    const outcome = suitable([host('a', { status: 'inactive', isConnected: false })], request());
    expect('unmet' in outcome && outcome.unmet).toContain('active: host-a inactive');
  });
});
