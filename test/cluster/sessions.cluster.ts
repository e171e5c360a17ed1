import { eventually } from '../support/api-client';
import { temporaryNamespace, type TemporaryNamespace } from './support/namespace';
import { kubectl } from './support/kubectl';
import { claims, jobs, networkPolicies, pods, secrets } from './support/objects';
import { bootWorld, type World } from './support/session-world';

const NOTHING = { jobs: 0, pods: 0, secrets: 0, claims: 0, networkPolicies: 0 };

describe('a session as a pod', () => {
  let namespace: TemporaryNamespace;
  let world: World;

  beforeAll(async () => {
    namespace = await temporaryNamespace({ restricted: true });
    world = await bootWorld(namespace.name);
  }, 120_000);

  afterAll(async () => {
    await world?.close();
    await namespace?.delete();
  }, 180_000);

  const of = (sessionId: string): string => `reins.dev/session=${sessionId}`;

  it('starts, answers, is suspended, goes on in another pod with its files, ends, and leaves nothing', async () => {
    const { api } = world;
    const { id } = await world.session(await world.worker());
    await api.until(id, 'active', 60_000);
    expect((await api.prompt(id, "require('fs').writeFileSync('kept.txt', 'from before'); 6 * 7")).response).toBe('42');
    const [first] = await pods(namespace.name, of(id));
    expect(first?.status?.phase).toBe('Running');

    await api.must('POST', `/sessions/${id}/suspend`);
    await api.until(id, 'suspended', 60_000);
    await eventually(async () => expect(await jobs(namespace.name, of(id))).toEqual([]), 30_000, 200);
    await eventually(async () => expect(await pods(namespace.name, of(id))).toEqual([]), 60_000, 200);
    expect(await claims(namespace.name, of(id))).toHaveLength(1);
    expect(await secrets(namespace.name, of(id))).toEqual([]);

    const answer = await api.prompt(id, "require('fs').readFileSync('kept.txt', 'utf8')");
    expect(answer.response).toBe('from before');
    const [second] = await pods(namespace.name, of(id));
    expect(second?.metadata?.uid).not.toBe(first?.metadata?.uid);

    await api.must('DELETE', `/sessions/${id}`);
    await api.until(id, 'ended', 60_000);
    await eventually(async () => expect(await world.remains()).toEqual(NOTHING), 60_000, 250);
  }, 240_000);

  it('holds no secret in its Job, mounts no token, cannot write its root, is not root, knows only itself', async () => {
    const { api } = world;
    const { id } = await world.session(await world.worker());
    await api.until(id, 'active', 60_000);
    const [job] = await jobs(namespace.name, of(id));
    const [secret] = await secrets(namespace.name, of(id));
    const [policy] = await networkPolicies(namespace.name, of(id));
    const agentSecret = Buffer.from(secret?.data?.['AIWM_AGENT_SECRET'] ?? '', 'base64').toString();
    expect(agentSecret.length).toBeGreaterThan(20);
    expect(JSON.stringify(job)).not.toContain(agentSecret);
    expect(secret?.metadata?.ownerReferences?.[0]).toMatchObject({ kind: 'Job', uid: job?.metadata?.uid });
    expect(policy?.metadata?.ownerReferences?.[0]?.uid).toBe(job?.metadata?.uid);
    expect(policy?.spec?.policyTypes).toEqual(['Ingress', 'Egress']);

    const [pod] = await pods(namespace.name, of(id));
    const exec = (...command: string[]): Promise<string> =>
      kubectl(['exec', pod?.metadata?.name ?? '', `--namespace=${namespace.name}`, '--', ...command]);
    expect((await exec('id', '-u')).trim()).toBe('1000');
    await expect(exec('sh', '-c', 'echo x > /opt/x')).rejects.toThrow('Read-only file system');
    await expect(exec('ls', '/var/run/secrets/kubernetes.io')).rejects.toThrow('No such file');
    expect(await exec('sh', '-c', 'echo x > /session/x && echo y > /tmp/y && cat /session/x')).toBe('x\n');
    expect(await exec('env')).not.toMatch(/JWT_SECRET|MONGODB_URI/);

    const { agentId } = await api.get(id);
    const stranger = await fetch(`${api.url}/sessions/${id}/prompt`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ prompt: '1' }),
    });
    expect(stranger.status).toBe(401);
    expect(Buffer.from(secret?.data?.['AIWM_AGENT_ID'] ?? '', 'base64').toString()).toBe(agentId);
    await api.must('DELETE', `/sessions/${id}`);
    await eventually(async () => expect(await world.remains()).toEqual(NOTHING), 60_000, 250);
  }, 180_000);
});
