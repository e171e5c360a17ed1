import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelServer, startModelServer } from '../../scripts/model-server';
import { eventually } from '../support/api-client';
import { type GitServer, startGitServer } from '../support/git-server';
import { followGuide, GuideRepositories, reviewer } from '../support/vwm-guide';
import { image, reachableFromPods } from './support/cluster';
import { install, type Installation } from './support/installation';
import { kubectl } from './support/kubectl';
import { pods } from './support/objects';

const LONG = 'for (let i = 0; i < 200; i++) { console.log(i); await new Promise((go) => setTimeout(go, 100)); }';

let folder: string;
let repositories: GuideRepositories;
let gitServer: GitServer;
let model: ModelServer;
let reins: Installation;
const ids: Record<string, string> = {};

jest.setTimeout(240_000);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reins-install-'));
  repositories = new GuideRepositories(folder);
  gitServer = await startGitServer(folder, '0.0.0.0');
  model = await startModelServer({ script: reviewer, host: '0.0.0.0' });
  reins = await install({
    config: {
      ANTHROPIC_BASE_URL: `http://${reachableFromPods(Number(new URL(model.url).port))}`,
      ANTHROPIC_API_KEY: 'local-model-server',
      REPOSITORY_SCHEMES: 'https,ssh,http',
    },
  });
  ids['https://github.com/org/'] = `http://${reachableFromPods(gitServer.port)}/org/`;
  ids['your-registry/python-3.11-vw:latest'] = image('harness-claude-code');
}, 300_000);

afterAll(async () => {
  await reins?.remove();
  await model?.close();
  await gitServer?.close();
  rmSync(folder, { recursive: true, force: true });
}, 240_000);

const expectNothingLeft = (): Promise<void> =>
  eventually(async () => expect(await reins.remains()).toEqual([0, 0, 0, 0, 0]), 90_000, 250);

describe("the Virtual Worker Manager's guide against the installed chart, its sessions as pods", () => {
  followGuide(() => {
    const { url, authorization } = reins;
    return { url, ids, headers: [`Authorization: ${authorization}`], model, repositories };
  });

  it('leaves nothing of the session in the cluster', expectNothingLeft);
});

describe('a session of the installed chart', () => {
  it('is suspended, and goes on in another pod', async () => {
    const worker = await reins.worker();
    const { id } = await reins.api.session(worker);
    await reins.api.prompt(id, "require('fs').writeFileSync('kept.txt', 'yes')");
    await reins.api.must('POST', `/sessions/${id}/suspend`);
    await eventually(
      async () => expect(await pods(reins.sessions, `reins.dev/session=${id}`)).toEqual([]),
      60_000,
      250,
    );
    expect((await reins.api.prompt(id, "require('fs').readFileSync('kept.txt', 'utf8')")).response).toBe('yes');
    await reins.api.must('DELETE', `/sessions/${id}`);
    await expectNothingLeft();
  });

  it('L21 streams on over the death of the controller’s pod, nothing lost and nothing twice', async () => {
    const { id } = await reins.api.session(await reins.worker());
    await reins.api.until(id, 'active', 90_000);
    const turn = reins.api.call('POST', `/sessions/${id}/prompt`, { prompt: LONG }).catch(() => undefined);
    await eventually(async () => {
      expect((await reins.api.log(id)).filter(({ type }) => type === 'console').length).toBeGreaterThan(10);
    }, 60_000);
    const force = ['--grace-period=0', '--force', '--wait=false'];
    await kubectl(['delete', 'pod', '-n', reins.namespace, '-l', 'app.kubernetes.io/component=controller', ...force]);
    await turn;
    await eventually(
      async () => {
        const log = await reins.api.log(id);
        expect(log.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
      },
      120_000,
      500,
    );
    const log = await reins.api.log(id);
    expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
    const lines = log.filter(({ type }) => type === 'console').map(({ data }) => String(data['text']).trim());
    expect(lines).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    await reins.api.must('DELETE', `/sessions/${id}`);
    await expectNothingLeft();
  });
});
