import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { NodeHeartbeat } from '@reins/shared/api/nodes';
import { nodeInstallScript } from './node-install-script';

const NODE_ID = '693f3a2c8d1e5b4a7c9f1d3e';
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-_';
const NAMES = [
  'test-node-01',
  `it's "quoted" \\ and $(touch pwned) \`touch pwned\``,
  `'; touch pwned; '`,
  'END_OF_ENVIRONMENT',
  'END_OF_HEARTBEAT',
  '-n --help %s',
  'naïve ünïcode 名',
];

/** CI installs it; elsewhere the test reports itself as skipped. */
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;

const hasSystemdAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0;

interface Beat {
  url: string | undefined;
  authorization: string | undefined;
  contentType: string | undefined;
  body: string;
}

describe('nodeInstallScript', () => {
  let home: string;
  let server: Server;
  let baseUrl: string;
  let beats: Beat[];
  let status: number;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'reins-node-'));
    beats = [];
    status = 200;
    server = createServer((request, response) => {
      const { authorization, 'content-type': contentType } = request.headers;
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => (body += part));
      request.on('end', () => {
        beats.push({ url: request.url, authorization, contentType, body });
        response.writeHead(status).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
    rmSync(home, { recursive: true });
  });

  const script = (name: string): string => nodeInstallScript({ nodeId: NODE_ID, name, token: TOKEN, baseUrl });

  const run = (text: string, environment: Record<string, string> = {}) =>
    new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      const env = {
        PATH: process.env.PATH,
        HOME: home,
        INSTALL_DIR: join(home, 'node'),
        UNIT_DIR: home,
        ...environment,
      };
      const child = spawn('bash', ['-s'], { cwd: home, env });
      const output = { stdout: '', stderr: '' };
      child.stdout.on('data', (part: Buffer) => (output.stdout += part.toString()));
      child.stderr.on('data', (part: Buffer) => (output.stderr += part.toString()));
      child.on('close', (code) => resolve({ code, ...output }));
      child.stdin.end(text);
    });

  /** A machine without systemd, whatever this one has. */
  const withoutSystemd = (text: string): string => text.replace('-d /run/systemd/system', '-d /nowhere/systemd');

  it.each(NAMES)('S14 is valid bash for a node named %j', (name) => {
    execFileSync('bash', ['-n'], { input: script(name) });
  });

  (hasShellcheck ? it : it.skip).each(NAMES)('S14 shellcheck finds nothing for a node named %j', async (name) => {
    await run(withoutSystemd(script(name)));
    for (const text of [script(name), readFileSync(join(home, 'node/heartbeat'), 'utf8')]) {
      expect(spawnSync('shellcheck', ['-'], { input: text, encoding: 'utf8' })).toMatchObject({
        status: 0,
        stdout: '',
      });
    }
  });

  it.each(NAMES)('S14 installs a node named %j, runs nothing of its name, and sends a heartbeat', async (name) => {
    const { code, stdout, stderr } = await run(withoutSystemd(script(name)));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`${name} (${NODE_ID}) reports to the controller`);
    expect(existsSync(join(home, 'pwned'))).toBe(false);
    expect(readdirSync(join(home, 'node')).sort()).toEqual(['heartbeat', 'node.env']);
    expect(statSync(join(home, 'node/node.env')).mode & 0o777).toBe(0o600);
    expect(parseEnv(readFileSync(join(home, 'node/node.env'), 'utf8'))).toEqual({
      AIOPS_NODE_TOKEN: TOKEN,
      AIOPS_CONTROLLER_ENDPOINT: baseUrl,
      AIOPS_NODE_ID: NODE_ID,
    });
    expect(beats).toEqual([
      {
        url: `/nodes/${NODE_ID}/heartbeat`,
        authorization: `Bearer ${TOKEN}`,
        contentType: 'application/json',
        body: expect.any(String) as string,
      },
    ]);
  });

  it('sends facts of the machine that the controller takes', async () => {
    const gpu = join(home, 'nvidia-smi');
    writeFileSync(
      gpu,
      '#!/bin/sh\necho "0, Some \\"GPU\\" X, 1024, 512, 7, 41"\necho "1, Other, 2048, 2048, [N/A], 40"\n',
    );
    chmodSync(gpu, 0o755);
    await run(withoutSystemd(script('n')), { PATH: `${home}:${process.env.PATH}` });
    const facts = JSON.parse(beats[0]?.body ?? '') as object;
    expect(NodeHeartbeat.parse(facts)).toEqual(facts);
    expect(facts).toMatchObject({
      status: 'online',
      hostname: execFileSync('uname', ['-n']).toString().trim(),
      cpuCores: expect.any(Number) as number,
      gpuDevices: [
        { deviceId: '0', model: 'Some GPU X', memoryTotal: 1024 * 1048576, memoryFree: 512 * 1048576, utilization: 7 },
        { deviceId: '1', model: 'Other', utilization: 0 },
      ],
    });
    const { ramTotal, ramFree } = NodeHeartbeat.parse(facts);
    expect(ramTotal).toBeGreaterThan(ramFree ?? 0);
    expect(ramFree).toBeGreaterThan(1024 * 1024);
  });

  it('keeps the token out of the arguments that every process of the machine can read', async () => {
    const seen = join(home, 'seen');
    const curl = join(home, 'curl');
    writeFileSync(curl, `#!/bin/sh\nprintf '%s\\n' "$@" > ${seen}\ncat > /dev/null\n`);
    chmodSync(curl, 0o755);
    await run(withoutSystemd(script('n')), { PATH: `${home}:${process.env.PATH}` });
    expect(readFileSync(seen, 'utf8')).toContain('/heartbeat');
    expect(readFileSync(seen, 'utf8')).not.toContain(TOKEN);
  });

  it('S14 sets up a timer that systemd understands, and asks systemd to start it', async () => {
    // Stand-ins for the machine's own programs: no test may install a service on the machine it runs on.
    const asked = join(home, 'asked');
    const programs = { systemctl: `#!/bin/sh\necho "$@" >> ${asked}\n`, id: '#!/bin/sh\necho 0\n' };
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(home, name), text, { mode: 0o755 });
    const withSystemd = script(`it's $(touch pwned)`).replace('-d /run/systemd/system', '-d /');
    const { code, stderr } = await run(withSystemd, { PATH: `${home}:${process.env.PATH}` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const unit = `reins-node-${NODE_ID}`;
    expect(readFileSync(asked, 'utf8')).toBe(`daemon-reload\nenable --now ${unit}.timer\n`);
    const units = ['service', 'timer'].map((kind) => join(home, `${unit}.${kind}`));
    for (const path of units) expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readFileSync(units[0] ?? '', 'utf8')).toContain(`ExecStart=${home}/node/heartbeat\n`);
    expect(readFileSync(units[1] ?? '', 'utf8')).toContain('OnUnitActiveSec=60\n');
    if (hasSystemdAnalyze) {
      const verified = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' });
      expect(verified.stderr.split('\n').filter((line) => line.includes(unit))).toEqual([]);
      expect(verified.status).toBe(0);
    }
  });

  it('fails where the controller refuses the heartbeat', async () => {
    status = 401;
    const { code, stderr } = await run(withoutSystemd(script('n')));
    expect(code).toBe(1);
    expect(stderr).toContain('error: the controller did not take the heartbeat');
  });

  it.each(['relative', '/tmp/a b', '/tmp/$(x)'])('refuses the folder %j before it writes anything', async (folder) => {
    const { code, stderr } = await run(script('n'), { INSTALL_DIR: folder });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: INSTALL_DIR/);
    expect(readdirSync(home)).toEqual([]);
  });

  it('does nothing when it was cut off on its way', async () => {
    const whole = script('n');
    for (const share of [0.3, 0.6, 0.9]) await run(whole.slice(0, Math.floor(whole.length * share)));
    expect(readdirSync(home)).toEqual([]);
    expect(beats).toEqual([]);
  });
});
