import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CONFIG_VARIABLES } from '../../apps/controller/src/config/config';
import { HarnessEnvironment, ControllerAddress, Credentials } from '../../apps/harness/src/config/config.schema';

interface Service {
  image: string;
  build?: { context: string; dockerfile: string; target?: string; args?: Record<string, string> };
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  profiles?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  read_only?: boolean;
  cap_drop?: string[];
  stop_grace_period?: string;
}

const ROOT = join(__dirname, '../..');
const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, null> };
const example = readFileSync(join(ROOT, 'deploy/compose/env.example'), 'utf8');
const service = (name: string): Service => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`there is no service ${name}`);
  return found;
};
const FILLED = { JWT_SECRET: 'x'.repeat(40), MONGO_PASSWORD: 'm', REDIS_PASSWORD: 'r' };

describe('docker-compose.yml', () => {
  it('asks only for variables that env.example explains, and explains no other', () => {
    const asked = new Set([...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name));
    const explained = new Set([...example.matchAll(/^(?:# )?([A-Z_]+)=/gm)].map(([, name]) => name));
    expect([...explained].sort()).toEqual([...asked].sort());
  });

  it('starts nothing with a default secret', () => {
    const secrets = ['JWT_SECRET', 'MONGO_PASSWORD', 'REDIS_PASSWORD'];
    for (const name of secrets) {
      expect(text).toMatch(new RegExp(`\\$\\{${name}:\\?`));
      expect(text).not.toMatch(new RegExp(`\\$\\{${name}:?-`));
      expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
    }
  });

  it('gives the controller and the harness only variables they know', () => {
    // REDIS_URL belongs to the rooms between controllers.
    const controller = Object.keys(service('controller').environment ?? {});
    expect(controller.filter((name) => name !== 'REDIS_URL' && !CONFIG_VARIABLES.includes(name))).toEqual([]);
    const known = [HarnessEnvironment, ControllerAddress, Credentials].flatMap(({ shape }) => Object.keys(shape));
    const given = Object.keys(service('harness').environment ?? {});
    expect(given.filter((name) => !known.includes(name)).sort()).toEqual([
      'ANTHROPIC_API_KEY',
      'REINS_ENROLLMENT_TOKEN',
    ]);
  });

  it('shows the databases to nobody and the controller to this machine only', () => {
    expect(service('mongodb').ports).toBeUndefined();
    expect(service('redis').ports).toBeUndefined();
    expect(service('controller').ports).toEqual(['${REINS_LISTEN:-127.0.0.1:3305}:3305']);
    expect(service('controller').environment).toMatchObject({ AUTH_MODE: 'jwt' });
  });

  it('starts the harness on request only, everything in order and healthy', () => {
    expect(Object.keys(compose.services).filter((name) => service(name).profiles === undefined)).toEqual([
      'mongodb',
      'redis',
      'controller',
    ]);
    for (const [name, { depends_on: needs = {} }] of Object.entries(compose.services)) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        expect([name, needed, condition]).toEqual([name, needed, 'service_healthy']);
        expect(service(needed).healthcheck?.test[0]).toBe('CMD');
      }
    }
  });

  it('builds from Dockerfiles that are there, for an agent CLI that is locked', () => {
    for (const name of ['controller', 'harness']) {
      const { build, read_only: readOnly, cap_drop: dropped } = service(name);
      expect(existsSync(join(ROOT, build?.dockerfile ?? ''))).toBe(true);
      const targets = readFileSync(join(ROOT, build?.dockerfile ?? ''), 'utf8').match(/(?<= AS )\S+/g) ?? [];
      if (build?.target !== undefined) expect(targets).toContain(build.target);
      expect([readOnly, dropped]).toEqual([true, ['ALL']]);
    }
    const cli = service('harness').build?.args?.CLI ?? '';
    expect(existsSync(join(ROOT, 'deploy/docker/agent-clis', cli, 'package-lock.json'))).toBe(true);
    expect(service('harness').image).toContain(`reins-harness-${cli}:`);
  });

  it('mounts only volumes it declares', () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes = [] }) =>
      volumes.map((one) => one.split(':')[0]),
    );
    expect(mounted.sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0;
  (hasCompose ? it : it.skip)('is valid for docker compose itself', () => {
    const args = ['compose', '--profile', 'harness', 'config', '--quiet'];
    const { status, stderr } = spawnSync('docker', args, {
      cwd: ROOT,
      env: { ...process.env, ...FILLED },
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
