import { eventually } from '../support/api-client';
import { cluster } from './support/cluster';
import { apply, kubectl } from './support/kubectl';
import { temporaryNamespace, type TemporaryNamespace } from './support/namespace';
import { claims, jobs, pods, secrets } from './support/objects';
import { probeSpec } from './support/probe';
import { bootWorld, type World } from './support/session-world';

const of = (sessionId: string): string => `reins.dev/session=${sessionId}`;

describe('what is in a cluster and what should be', () => {
  let [here, there]: TemporaryNamespace[] = [];
  let world: World;

  beforeAll(async () => {
    [here, there] = await Promise.all([
      temporaryNamespace({ restricted: true }),
      temporaryNamespace({ restricted: true }),
    ]);
    world = await bootWorld(here?.name ?? '', {
      LAUNCHER_CLUSTERS: JSON.stringify({
        here: { namespace: here?.name },
        there: { kubeconfig: cluster().kubeconfig, namespace: there?.name },
      }),
    });
  }, 120_000);

  afterAll(async () => {
    await world?.close();
    await Promise.all([here?.delete(), there?.delete()]);
  }, 180_000);

  it('a worker names the cluster its sessions run in; the first one takes the others', async () => {
    const { api } = world;
    const [first, second] = await Promise.all([
      world.session(await world.worker()),
      world.session(await world.worker('javascript', { cluster: 'there' })),
    ]);
    await Promise.all([first, second].map(({ id }) => api.until(id, 'active', 90_000)));
    expect(await pods(here?.name ?? '', of(first.id))).toHaveLength(1);
    expect(await pods(there?.name ?? '', of(second.id))).toHaveLength(1);
    expect((await api.prompt(second.id, '1 + 1')).response).toBe('2');
    await Promise.all([first, second].map(({ id }) => api.must('DELETE', `/sessions/${id}`)));
    await Promise.all([first, second].map(({ id }) => api.until(id, 'ended', 60_000)));

    const workerId = await world.worker('javascript', { cluster: 'nowhere' });
    expect(await api.call('POST', '/sessions', { workerId })).toMatchObject({
      status: 503,
      body: { code: 'launcher_unavailable', error: expect.stringContaining('here, there') as string },
    });
  }, 180_000);

  it('a Job that belongs to no session is removed, with what else there is of it; what others made stays', async () => {
    const namespace = here?.name ?? '';
    const { id } = await world.session(await world.worker());
    await world.api.until(id, 'active', 90_000);
    const [own] = await jobs(namespace, of(id));
    const labels = { ...own?.metadata?.labels, 'reins.dev/session': 'sess-nobodys', 'reins.dev/launch': 'run-nobodys' };
    const template = { metadata: { labels }, spec: probeSpec([['sleep', '600']]) };
    const orphan = { name: 'orphan', labels };
    const foreign = { name: 'foreign', labels: { ...labels, 'reins.dev/controller': 'ins-another' } };
    await apply(
      namespace,
      { apiVersion: 'batch/v1', kind: 'Job', metadata: orphan, spec: { template } },
      { apiVersion: 'v1', kind: 'Secret', metadata: orphan },
      { apiVersion: 'v1', kind: 'Secret', metadata: foreign },
    );
    await eventually(
      async () => {
        expect(await jobs(namespace, of('sess-nobodys'))).toEqual([]);
        expect((await secrets(namespace, of('sess-nobodys'))).map(({ metadata }) => metadata?.name)).toEqual([
          'foreign',
        ]);
        expect(await pods(namespace, of('sess-nobodys'))).toEqual([]);
      },
      180_000,
      1_000,
    );
    expect(await jobs(namespace, of(id))).toHaveLength(1);
    expect(await claims(namespace, of(id))).toHaveLength(1);

    await world.api.must('DELETE', `/sessions/${id}`);
    await world.api.until(id, 'ended', 60_000);
    await kubectl(['delete', 'secret', 'foreign', `--namespace=${namespace}`]);
  }, 300_000);
});
