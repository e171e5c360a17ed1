import { execFile } from 'node:child_process';
import { CHART, findHelm } from '../../../scripts/packaging/helm';
import { ApiClient } from '../../support/api-client';
import { cluster, image } from './cluster';
import { kubectl } from './kubectl';
import { type TemporaryNamespace, temporaryNamespace } from './namespace';
import { claims, jobs, networkPolicies, pods, secrets } from './objects';

const RELEASE = 'reins';
const SESSIONS = 'app.kubernetes.io/managed-by=reins';

export interface Installation {
  /** The Service's own address, as a pod of the cluster would use it. */
  url: string;
  authorization: string;
  api: ApiClient;
  /** Of the release, and of its sessions. */
  namespace: string;
  sessions: string;
  /** How many objects of sessions there are: Jobs, pods, Secrets, claims, policies. */
  remains(): Promise<number[]>;
  /** A JavaScript worker in the harness image of this tree. */
  worker(): Promise<string>;
  remove(): Promise<void>;
}

/** Installs the chart with the images of this tree, its sessions in a namespace of their own. */
export async function install(values: Record<string, unknown> = {}): Promise<Installation> {
  const both = await Promise.all([temporaryNamespace({ restricted: true }), temporaryNamespace({ restricted: true })]);
  const [namespace, sessions] = both;
  const { config = {}, ...more } = values;
  const pod = { workspace: { size: '256Mi' }, resources: { requests: { cpu: '10m', memory: '96Mi' } } };
  const all = {
    image: split(image('controller')),
    persistence: { size: '1Gi' },
    resources: { requests: { cpu: '50m' } },
    sessions: { namespace: sessions.name, pod },
    config: { JAVASCRIPT_WALL_MS: '120000', ...(config as object) },
    ...more,
  };
  await helmInstall(all, namespace.name).catch(async (error: unknown) => {
    const seen = await kubectl(['get', 'pods,events', '-n', namespace.name]);
    await Promise.all(both.map((one) => one.delete()));
    throw new Error(`${String(error)}\n${seen}`);
  });
  const ip = await kubectl(['get', 'service', RELEASE, '-n', namespace.name, '-o', 'jsonpath={.spec.clusterIP}']);
  const token = await kubectl([
    'exec',
    '-n',
    namespace.name,
    `deploy/${RELEASE}`,
    '--',
    'node',
    '/opt/reins/token.cjs',
  ]);
  const url = `http://${ip}:3305`;
  const authorization = `Bearer ${token.trim()}`;
  const api = new ApiClient(url, { Authorization: authorization });
  return {
    url,
    authorization,
    api,
    namespace: namespace.name,
    sessions: sessions.name,
    remains: async () => {
      const kinds = [jobs, pods, secrets, claims, networkPolicies];
      const lists = await Promise.all(kinds.map((list) => list(sessions.name, SESSIONS)));
      return lists.map((list) => list.length);
    },
    worker: async () => {
      const name = `javascript-${Math.random().toString(36).slice(2)}`;
      const runtime = await api.must<{ id: string }>('POST', '/admin/runtimes', { name, baseImage: image('harness') });
      const worker = { name, runtimeId: runtime.id, cliType: 'javascript' };
      return (await api.must<{ id: string }>('POST', '/admin/workers', worker)).id;
    },
    remove: async () => {
      await Promise.all(both.map((one: TemporaryNamespace) => one.delete()));
    },
  };
}

/** This process stays awake meanwhile: the database of what is installed may be in it. */
function helmInstall(values: object, namespace: string): Promise<void> {
  const program = findHelm();
  if (program === undefined) throw new Error('helm is not installed; scripts/cluster tool helm builds it');
  const { kubeconfig } = cluster();
  const flags = ['--namespace', namespace, '--kubeconfig', kubeconfig, '--wait', '--timeout', '150s', '--values', '-'];
  return new Promise((resolve, reject) => {
    const child = execFile(program, ['install', RELEASE, CHART, ...flags], (error) =>
      error === null ? resolve() : reject(new Error(error.message)),
    );
    child.stdin?.end(JSON.stringify(values));
  });
}

function split(name: string): { repository: string; tag: string } {
  const at = name.lastIndexOf(':');
  return { repository: name.slice(0, at), tag: name.slice(at + 1) };
}
