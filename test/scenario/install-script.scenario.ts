import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type AgentView, type RegenerateResponse } from '@reins/shared/api/agents';
import { systemClock } from '@reins/shared/util';
import { ApiClient, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';
import { bootSystemd, canBootSystemd, type Ran, type SystemdMachine } from '../support/systemd-machine';

const NAME = `it's "the" $(touch /tmp/pwned) \`agent\``;

let controller: BuiltController;
let admin: ApiClient;

beforeAll(async () => {
  controller = await startBuiltController({ env: { HEARTBEAT_MS: '500' } });
  admin = new ApiClient(controller.url);
}, 90_000);

afterAll(() => controller?.stop(), 60_000);

async function newAgent(): Promise<{ id: string; script: string }> {
  const fields = { name: NAME, description: 'installed', status: 'active', type: 'autonomous' };
  const { _id } = await admin.must<AgentView>('POST', '/agents', fields);
  return { id: _id, script: await scriptOf(_id) };
}

async function scriptOf(id: string): Promise<string> {
  return (await admin.must<RegenerateResponse>('POST', `/agents/${id}/credentials/regenerate`)).installScript;
}

function untilConnected(id: string, connected: boolean): Promise<AgentView> {
  return eventually(async () => {
    const agent = await admin.must<AgentView>('GET', `/agents/${id}`);
    if (agent.connected !== connected) throw new Error(`the agent is ${connected ? 'not ' : ''}connected`);
    return agent;
  }, 30_000);
}

(canBootSystemd() ? describe : describe.skip)('the install script with systemd', () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    machine = await bootSystemd();
  }, 90_000);

  afterAll(() => machine?.stop());

  it('installs a service that connects, comes back after a kill, and leaves when it is removed', async () => {
    const { id, script } = await newAgent();
    const folder = `/opt/reins-agents/${id}`;
    const unit = `reins-agent-${id}`;
    const installed = await machine.bash(script);
    expect(installed).toMatchObject({ status: 0, stderr: '' });
    expect(installed.stdout).toContain(`The agent ${NAME} is running as ${unit}`);
    await untilConnected(id, true);
    const { stdout } = await machine.bash(`
      stat -c '%a %U' ${folder}/.env; systemctl is-enabled ${unit}
      systemctl show -p User --value ${unit}; systemd-analyze verify ${unit}.service 2>&1; ls /tmp/pwned 2>/dev/null; true`);
    expect(stdout).toBe('600 reins-agent\nenabled\nreins-agent\n');

    await machine.bash(`systemctl kill -s KILL ${unit}`);
    await eventually(
      async () => {
        const { stdout: restarts } = await machine.bash(`systemctl show -p NRestarts --value ${unit}`);
        expect(Number(restarts)).toBeGreaterThan(0);
      },
      30_000,
      500,
    );
    await untilConnected(id, true);

    expect(await machine.bash(script, ['--uninstall'])).toMatchObject({ status: 0 });
    await untilConnected(id, false);
    const { stdout: left } = await machine.bash(`ls ${folder} /etc/systemd/system/${unit}.service 2>/dev/null; true`);
    expect(left).toBe('');
  }, 180_000);

  it('a refused agent is not started over and over, and the script says so', async () => {
    const { id, script } = await newAgent();
    await scriptOf(id);
    const result = await machine.bash(script, [], { START_SECONDS: '8' });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('the agent does not stay up');
    const { stdout } = await machine.bash(`systemctl show -p NRestarts --value reins-agent-${id}`);
    expect(stdout.trim()).toBe('0');
    expect(await machine.bash(await scriptOf(id))).toMatchObject({ status: 0 });
    await untilConnected(id, true);
  }, 120_000);
});

describe('the install script with pm2', () => {
  let home: string;

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'reins-pm2-'));
  });

  afterAll(async () => {
    await bash('pm2 kill');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }, 60_000);

  function bash(script: string, args: string[] = []): Promise<Ran> {
    const path = [join(__dirname, '../../node_modules/.bin'), process.env.PATH].join(delimiter);
    const env = {
      PATH: path,
      HOME: home,
      PM2_HOME: join(home, '.pm2'),
      INSTALL_DIR: join(home, 'agent'),
      RUN_AS: 'root',
    };
    const child = spawn('bash', ['-s', '--', ...args], { env, cwd: home });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.end(script);
    // Not `close`: the daemon that pm2 leaves behind keeps the pipes open.
    return new Promise((resolve) =>
      child.on(
        'exit',
        (status) => void systemClock.sleep(100).then(() => resolve({ status: status ?? 1, stdout, stderr })),
      ),
    );
  }

  it('installs a process that connects and leaves when it is removed', async () => {
    const { id, script } = await newAgent();
    const installed = await bash(script, ['--pm2']);
    expect(installed.status).toBe(0);
    expect(installed.stdout).toContain(`is running as reins-agent-${id}`);
    await untilConnected(id, true);
    expect(await bash(script, ['--pm2', '--uninstall'])).toMatchObject({ status: 0 });
    await untilConnected(id, false);
  }, 120_000);
});
