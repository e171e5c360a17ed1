import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHART, helm } from '../../scripts/packaging/helm';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { ApiClient, eventually } from '../support/api-client';
import { type GitServer, startGitServer } from '../support/git-server';
import { followGuide, GuideRepositories, reviewer } from '../support/vwm-guide';
import { cluster, image, reachableFromPods } from './support/cluster';
import { kubectl } from './support/kubectl';
import { type TemporaryNamespace, temporaryNamespace } from './support/namespace';
import { claims, jobs, networkPolicies, pods, secrets } from './support/objects';

const SESSIONS = 'app.kubernetes.io/managed-by=reins';
const LONG = 'for (let i = 0; i < 200; i++) { console.log(i); await new Promise((go) => setTimeout(go, 100)); }';

let namespace: TemporaryNamespace;
let sessions: TemporaryNamespace;
let folder: string;
let repositories: GuideRepositories;
let gitServer: GitServer;
let model: ModelServer;
let url: string;
let api: ApiClient;
let authorization: string;
const ids: Record<string, string> = {};

const split = (name: string): { repository: string; tag: string } => {
  const at = name.lastIndexOf(':');
  return { repository: name.slice(0, at), tag: name.slice(at + 1) };
};

jest.setTimeout(240_000);

/** The chart with the images of this tree, and the Service's own address, as a pod of the cluster would use it. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-install-'));
  repositories = new GuideRepositories(folder);
  gitServer = await startGitServer(folder, '0.0.0.0');
  model = await startModelServer({ script: reviewer, host: '0.0.0.0' });
  const modelUrl = `http://${reachableFromPods(Number(new URL(model.url).port))}`;
  [namespace, sessions] = await Promise.all([
    temporaryNamespace({ restricted: true }),
    temporaryNamespace({ restricted: true }),
  ]);
  const values = {
    image: split(image('controller')),
    persistence: { size: '1Gi' },
    sessions: {
      namespace: sessions.name,
      pod: { workspace: { size: '256Mi' }, resources: { requests: { cpu: '10m', memory: '128Mi' } } },
    },
    config: {
      ANTHROPIC_BASE_URL: modelUrl,
      ANTHROPIC_API_KEY: 'local-model-server',
      REPOSITORY_SCHEMES: 'https,ssh,http',
      JAVASCRIPT_WALL_MS: '60000',
      LOST_AFTER_MS: '60000',
    },
  };
  const where = ['--namespace', namespace.name, '--kubeconfig', cluster().kubeconfig];
  const { ok, stderr } = helm(['install', 'reins', CHART, '--wait', '--timeout', '150s', ...where], values);
  if (!ok) throw new Error(`${stderr}\n${await kubectl(['get', 'pods,events', '-n', namespace.name])}`);
  const ip = await kubectl(['get', 'service', 'reins', '-n', namespace.name, '-o', 'jsonpath={.spec.clusterIP}']);
  const token = await kubectl(['exec', '-n', namespace.name, 'deploy/reins', '--', 'node', '/opt/reins/token.cjs']);
  url = `http://${ip}:3305`;
  authorization = `Bearer ${token.trim()}`;
  api = new ApiClient(url, { Authorization: authorization });
  ids['https://github.com/org/'] = `http://${reachableFromPods(gitServer.port)}/org/`;
  ids['your-registry/python-3.11-vw:latest'] = image('harness-claude-code');
}, 300_000);

afterAll(async () => {
  await Promise.all([namespace?.delete(), sessions?.delete()]);
  await model?.close();
  await gitServer?.close();
  rmSync(folder, { recursive: true, force: true });
}, 240_000);

async function expectNothingLeft(): Promise<void> {
  await eventually(
    async () => {
      const lists = await Promise.all(
        [jobs, pods, secrets, claims, networkPolicies].map((list) => list(sessions.name, SESSIONS)),
      );
      expect(lists.map((list) => list.length)).toEqual([0, 0, 0, 0, 0]);
    },
    90_000,
    250,
  );
}

describe("the Virtual Worker Manager's guide against the installed chart, its sessions as pods", () => {
  followGuide(() => ({ url, ids, headers: [`Authorization: ${authorization}`], model, repositories }));

  it('leaves nothing of the session in the cluster', expectNothingLeft);
});

describe('a session of the installed chart', () => {
  it('is suspended, and goes on in another pod', async () => {
    const worker = await javascriptWorker();
    const { id } = await api.session(worker);
    await api.prompt(id, "require('fs').writeFileSync('kept.txt', 'yes')");
    await api.must('POST', `/sessions/${id}/suspend`);
    await eventually(async () => expect(await pods(sessions.name, `reins.dev/session=${id}`)).toEqual([]), 60_000, 250);
    expect((await api.prompt(id, "require('fs').readFileSync('kept.txt', 'utf8')")).response).toBe('yes');
    await api.must('DELETE', `/sessions/${id}`);
    await expectNothingLeft();
  });

  it('L21 streams on over the death of the controller’s pod, nothing lost and nothing twice', async () => {
    const { id } = await api.session(await javascriptWorker());
    await api.until(id, 'active', 90_000);
    const turn = api.call('POST', `/sessions/${id}/prompt`, { prompt: LONG }).catch(() => undefined);
    await eventually(async () => {
      expect((await api.log(id)).filter(({ type }) => type === 'console').length).toBeGreaterThan(10);
    }, 60_000);
    const force = ['--grace-period=0', '--force', '--wait=false'];
    await kubectl(['delete', 'pod', '-n', namespace.name, '-l', 'app.kubernetes.io/component=controller', ...force]);
    await turn;
    await eventually(
      async () => {
        const log = await api.log(id);
        expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
      },
      120_000,
      500,
    );
    const log = await api.log(id);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
    const lines = log.filter(({ type }) => type === 'console').map(({ data }) => String(data['text']).trim());
    expect(lines).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    await api.must('DELETE', `/sessions/${id}`);
    await expectNothingLeft();
  });
});

async function javascriptWorker(): Promise<string> {
  const name = `javascript-${Math.random().toString(36).slice(2)}`;
  const runtime = await api.must<{ id: string }>('POST', '/admin/runtimes', { name, baseImage: image('harness') });
  const worker = { name, runtimeId: runtime.id, cliType: 'javascript' };
  return (await api.must<{ id: string }>('POST', '/admin/workers', worker)).id;
}
