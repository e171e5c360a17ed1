import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type V1Deployment, type V1Pod } from '@kubernetes/client-node';
import { CHART, helm, type Manifest, render } from '../../scripts/packaging/helm';
import { VALUE_SETS } from '../../scripts/packaging/value-sets';
import { cluster, image } from './support/cluster';
import { kubectl } from './support/kubectl';
import { type TemporaryNamespace, temporaryNamespace } from './support/namespace';
import { secrets } from './support/objects';

const RELEASE = 'reins';
/** Kinds that only clusters with Prometheus' operator know. */
const FOREIGN = new Set(['ServiceMonitor']);

describe('the chart in a cluster', () => {
  let namespace: TemporaryNamespace;
  let sessions: TemporaryNamespace;
  beforeAll(async () => {
    [namespace, sessions] = await Promise.all([
      temporaryNamespace({ restricted: true }),
      temporaryNamespace({ restricted: true }),
    ]);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([namespace?.delete(), sessions?.delete()]);
  }, 180_000);

  const sets: [string, object][] = [...Object.entries(VALUE_SETS), ['sessions in a namespace of their own', {}]];

  it.each(sets)('is accepted by the API server: %s', async (_, values) => {
    const own = Object.keys(values).length === 0 && { sessions: { namespace: sessions.name, createNamespace: true } };
    const manifests = render({ ...values, ...own }, { namespace: namespace.name });
    const accepted = manifests.filter(({ kind }) => !FOREIGN.has(kind));
    const printed = await kubectl(
      ['apply', '--dry-run=server', '--validate=strict', '--server-side', '--output=name', '-f', '-'],
      accepted.map((one) => JSON.stringify(one)).join('\n'),
    );
    expect(printed.trim().split('\n')).toHaveLength(accepted.length);
    // The standard of a namespace is enforced on pods, not on what makes them.
    const pod = podOf(manifests, namespace.name);
    await kubectl(['create', '--dry-run=server', '--validate=strict', '-f', '-'], JSON.stringify(pod));
  });

  it('runs, keeps its data and its secret over an upgrade and another pod, and leaves both behind', async () => {
    const name = image('controller');
    const at = name.lastIndexOf(':');
    const values = {
      image: { repository: name.slice(0, at), tag: name.slice(at + 1) },
      sessions: { launcher: 'external' },
      persistence: { size: '1Gi' },
    };
    await inCluster(['install', RELEASE, CHART, '--wait', '--timeout', '120s'], namespace.name, values);
    const token = await kubectl([
      'exec',
      '-n',
      namespace.name,
      `deploy/${RELEASE}`,
      '--',
      'node',
      '/opt/reins/token.cjs',
    ]);
    const key = await throughService(namespace.name, async (url) => {
      const answer = await request(`${url}/admin/api-keys`, token.trim(), {
        name: 'chart',
        roles: ['organization.owner'],
      });
      expect(answer.status).toBe(201);
      return ((await answer.json()) as { key: string }).key;
    });
    const secret = await secretOf(namespace.name);

    const changed = { ...values, config: { LOG_LEVEL: 'warn' } };
    await inCluster(['upgrade', RELEASE, CHART, '--wait', '--timeout', '120s'], namespace.name, changed);
    expect(await secretOf(namespace.name)).toBe(secret);
    await throughService(namespace.name, async (url) => {
      expect((await request(`${url}/admin/api-keys`, key)).status).toBe(200);
      expect((await request(`${url}/admin/api-keys`, token.trim())).status).toBe(200);
      expect((await request(`${url}/admin/api-keys`, 'rk_other')).status).toBe(401);
    });

    await inCluster(['uninstall', RELEASE, '--wait', '--timeout', '120s'], namespace.name);
    const left = await kubectl([
      'get',
      'deploy,svc,role,rolebinding,netpol,sa',
      '-n',
      namespace.name,
      '-l',
      'app.kubernetes.io/part-of=reins',
      '-o',
      'name',
    ]);
    expect(left).toBe('');
    expect(await kubectl(['get', 'pvc', '-n', namespace.name, '-o', 'name'])).toBe(
      `persistentvolumeclaim/${RELEASE}-data\n`,
    );
    expect(await secretOf(namespace.name)).toBe(secret);
  }, 400_000);
});

function podOf(manifests: Manifest[], namespace: string): V1Pod {
  const { spec } = manifests.find(({ kind }) => kind === 'Deployment') as V1Deployment;
  const template = spec?.template;
  // An existing account, for the check of the pod alone.
  const pod = { ...template?.spec, serviceAccountName: 'default', serviceAccount: 'default' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'controller', namespace, labels: template?.metadata?.labels },
    spec: { ...pod, containers: pod.containers ?? [] },
  };
}

async function inCluster(args: string[], namespace: string, values?: object): Promise<void> {
  const { kubeconfig } = cluster();
  const { ok, stderr } = helm([...args, '--namespace', namespace, '--kubeconfig', kubeconfig], values);
  if (!ok) {
    const seen = await kubectl(['get', 'pods,events', '-n', namespace]);
    throw new Error(`helm ${args[0]}: ${stderr}\n${seen}`);
  }
}

async function secretOf(namespace: string): Promise<string | undefined> {
  const found = (await secrets(namespace)).find(({ metadata }) => metadata?.name === `${RELEASE}-auth`);
  return found?.data?.JWT_SECRET;
}

/** Reaches the Service as somebody outside the cluster would. */
async function throughService<T>(namespace: string, work: (url: string) => Promise<T>): Promise<T> {
  const { kubeconfig } = cluster();
  const args = [`--kubeconfig=${kubeconfig}`, 'port-forward', '-n', namespace, `svc/${RELEASE}`, ':3305'];
  const forward: ChildProcess = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(forward, 'exit');
  try {
    if (forward.stdout === null) throw new Error('kubectl has no output');
    for await (const line of createInterface({ input: forward.stdout })) {
      const address = /^Forwarding from (127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (address !== undefined) return await work(`http://${address}`);
    }
    throw new Error('kubectl port-forward ended before it forwarded');
  } finally {
    forward.kill();
    await ended;
  }
}

function request(url: string, token: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return fetch(url, { headers, ...(body && { method: 'POST', body: JSON.stringify(body) }) });
}
