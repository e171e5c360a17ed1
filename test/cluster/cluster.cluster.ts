import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { eventually } from '../support/api-client';
import { canStopParts, reachableFromPods, stopPart } from './support/cluster';
import { apply, kubectl, logs, remove } from './support/kubectl';
import { temporaryNamespace, type TemporaryNamespace } from './support/namespace';
import { claims, events, jobs, networkPolicies, pod, pods, secrets, volumesOf } from './support/objects';
import { probePod, probeSpec } from './support/probe';

const WAIT_MS = 90_000;
const POLL_MS = 250;

let namespace: TemporaryNamespace;

jest.setTimeout(180_000);

beforeAll(async () => {
  namespace = await temporaryNamespace({ restricted: true });
});

afterAll(async () => {
  await namespace.delete();
});

async function ended(name: string) {
  const seen = await eventually(
    async () => {
      const current = await pod(namespace.name, name);
      expect(['Succeeded', 'Failed']).toContain(current.status?.phase);
      return current;
    },
    WAIT_MS,
    POLL_MS,
  );
  return { phase: seen.status?.phase, state: seen.status?.containerStatuses?.[0]?.state?.terminated };
}

async function running(name: string): Promise<void> {
  await eventually(
    async () => expect((await pod(namespace.name, name)).status?.phase).toBe('Running'),
    WAIT_MS,
    POLL_MS,
  );
}

describe('a cluster that sessions can run on', () => {
  it('runs a Job without root and with a read-only root, which sees a Secret as its environment', async () => {
    const metadata = { name: 'job', labels: { 'reins.dev/session': 'job' } };
    const env = [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'job', key: 'KEY' } } }];
    const commands = [['id'], ['env', 'KEY'], ['write', '/forbidden', 'x']];
    await apply(
      namespace.name,
      { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { KEY: 'seen inside' } },
      {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata,
        spec: {
          backoffLimit: 0,
          template: { metadata: { labels: metadata.labels }, spec: probeSpec(commands, { container: { env } }) },
        },
      },
    );
    const selector = 'reins.dev/session=job';
    await eventually(
      async () => expect((await jobs(namespace.name, selector))[0]?.status?.failed).toBe(1),
      WAIT_MS,
      POLL_MS,
    );
    const [made] = await pods(namespace.name, selector);
    const printed = await logs(namespace.name, made?.metadata?.name ?? '');
    expect(printed).toContain('uid=1000 gid=1000');
    expect(printed).toContain('KEY=seen inside');
    expect(printed).toContain('read-only file system');
    expect(await secrets(namespace.name, selector)).toHaveLength(1);

    await kubectl(['delete', 'job,secret', `--namespace=${namespace.name}`, `--selector=${selector}`, '--wait=true']);
    await eventually(async () => expect(await pods(namespace.name, selector)).toEqual([]), WAIT_MS, POLL_MS);
  });

  it('knows Services by name, from inside a pod', async () => {
    const labels = { app: 'answers' };
    await apply(namespace.name, probePod('answers', [['serve', '8080', 'hello from a pod']], { labels }), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'answers' },
      spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await running('answers');
    await apply(
      namespace.name,
      probePod('asks', [
        ['dns', 'answers'],
        ['get', 'http://answers/'],
      ]),
    );
    expect((await ended('asks')).phase).toBe('Succeeded');
    expect(await logs(namespace.name, 'asks')).toContain('200 hello from a pod');
  });

  it('lets a pod reach what this test listens on', async () => {
    const server: Server = createServer((_request, response) => response.end('hello from the test'));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      await apply(namespace.name, probePod('outward', [['get', `http://${reachableFromPods(port)}/`]]));
      expect((await ended('outward')).phase).toBe('Succeeded');
      expect(await logs(namespace.name, 'outward')).toContain('200 hello from the test');
    } finally {
      server.close();
    }
  });

  it('keeps what one pod wrote for the next, and nothing once the claim is gone', async () => {
    await apply(namespace.name, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'kept' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Mi' } } },
    });
    const options = {
      container: { volumeMounts: [{ name: 'session', mountPath: '/session' }] },
      spec: { volumes: [{ name: 'session', persistentVolumeClaim: { claimName: 'kept' } }] },
    };
    await apply(namespace.name, probePod('writer', [['write', '/session/note', 'written before']], options));
    expect((await ended('writer')).phase).toBe('Succeeded');
    await remove(namespace.name, 'pod', 'writer');
    await apply(namespace.name, probePod('reader', [['read', '/session/note']], options));
    expect((await ended('reader')).phase).toBe('Succeeded');
    expect(await logs(namespace.name, 'reader')).toContain('written before');

    expect(await volumesOf(namespace.name)).toHaveLength(1);
    await remove(namespace.name, 'pod', 'reader');
    await remove(namespace.name, 'pvc', 'kept');
    expect(await claims(namespace.name)).toEqual([]);
    await eventually(async () => expect(await volumesOf(namespace.name)).toEqual([]), WAIT_MS, POLL_MS);
  });

  it('refuses a pod above the restricted level', async () => {
    const lax = { securityContext: { allowPrivilegeEscalation: true } };
    await expect(apply(namespace.name, probePod('forbidden', [['id']], { container: lax }))).rejects.toThrow(
      /violates PodSecurity "restricted:latest": allowPrivilegeEscalation/,
    );
    expect((await pods(namespace.name)).map((one) => one.metadata?.name)).not.toContain('forbidden');
  });

  it('refuses what a quota does not allow', async () => {
    const small = await temporaryNamespace({ quota: { pods: '1' } });
    try {
      await apply(small.name, probePod('first', [['sleep', '60']]));
      await expect(apply(small.name, probePod('second', [['sleep', '60']]))).rejects.toThrow(/exceeded quota: test/);
    } finally {
      await small.delete();
    }
  });

  it('says that a container was out of memory', async () => {
    const resources = { requests: { memory: '16Mi' }, limits: { memory: '40Mi' } };
    const commands = [
      ['alloc', '200'],
      ['sleep', '60'],
    ];
    await apply(namespace.name, probePod('greedy', commands, { container: { resources } }));
    expect((await ended('greedy')).state).toMatchObject({ exitCode: 137, reason: 'OOMKilled' });
  });

  it('evicts a pod that fills its volume', async () => {
    await apply(
      namespace.name,
      probePod(
        'full',
        [
          ['fill', '/scratch/file', '30'],
          ['sleep', '120'],
        ],
        {
          container: { volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] },
          spec: { volumes: [{ name: 'scratch', emptyDir: { sizeLimit: '10Mi' } }] },
        },
      ),
    );
    await ended('full');
    const reasons = (await events(namespace.name))
      .filter((event) => event.involvedObject?.name === 'full')
      .map((event) => event.reason);
    expect(reasons).toContain('Evicted');
  });

  it('gives a pod its time after SIGTERM', async () => {
    await apply(namespace.name, probePod('patient', [['sleep', '120', '2']]));
    await running('patient');
    const watched = kubectl(['logs', '--follow', 'patient', `--namespace=${namespace.name}`, '--request-timeout=60s']);
    await remove(namespace.name, 'pod', 'patient');
    expect(await watched).toBe('told to end\nends in order\n');
  });

  it('accepts network policies', async () => {
    await apply(namespace.name, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed', labels: { app: 'closed' } },
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    });
    expect(await networkPolicies(namespace.name, 'app=closed')).toHaveLength(1);
    await remove(namespace.name, 'networkpolicy', 'closed');
  });

  it('keeps pods running while the API server is away, and answers again afterwards', async () => {
    if (!canStopParts()) {
      console.warn('skipped: parts can be stopped only in the cluster of scripts/cluster');
      return;
    }
    await apply(namespace.name, probePod('steady', [['sleep', '120']]));
    await running('steady');
    const start = await stopPart('apiserver');
    try {
      await expect(kubectl(['get', 'nodes'])).rejects.toThrow(/refused/);
    } finally {
      await start();
    }
    const after = await pod(namespace.name, 'steady');
    expect(after.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, state: { running: {} } });
  });

  it('leaves nothing of a deleted namespace', async () => {
    const other = await temporaryNamespace();
    await apply(other.name, probePod('left', [['sleep', '120']]));
    await eventually(
      async () => expect((await pod(other.name, 'left')).status?.phase).toBe('Running'),
      WAIT_MS,
      POLL_MS,
    );
    await other.delete();
    await expect(kubectl(['get', 'namespace', other.name])).rejects.toThrow(/not found/);
    expect(await pods(other.name)).toEqual([]);
  });
});
