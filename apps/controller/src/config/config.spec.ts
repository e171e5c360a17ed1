import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_VARIABLES, loadConfig } from './config';

const load = (environment: Record<string, string>) => loadConfig(environment, () => 'd'.repeat(64));

describe('loadConfig', () => {
  it('has a working default for everything', () => {
    const config = load({});
    expect(config.env.PORT).toBe(3305);
    expect(config.env.HOST).toBe('127.0.0.1');
    expect(config.devMode).toBe(true);
    expect(config.publicUrl(3305)).toBe('http://127.0.0.1:3305');
  });

  it.each([
    [{ PORT: 'http' }, 'PORT'],
    [{ HOST: '0.0.0.0' }, 'HOST: 0.0.0.0 with AUTH_MODE=dev'],
    [{ AUTH_MODE: 'jwt' }, 'JWT_SECRET: is required'],
    [{ AUTH_MODE: 'jwt', JWT_SECRET: 'short' }, 'at least 32 characters'],
    [{ MONGODB_URI: 'localhost:27017' }, 'MONGODB_URI must start with'],
    [{ HARNESS_COMMAND: 'node harness.js' }, 'HARNESS_COMMAND must be a JSON array'],
    [{ TRUST_PROXY: 'true' }, 'anyone could say which address they come from'],
    [{ TRUST_PROXY: '1' }, 'TRUST_PROXY must list'],
    [{ TRUST_PROXY: '10.0.0.0/33' }, 'TRUST_PROXY must list'],
    [{ OFFLINE_AFTER_BEATS: '1' }, 'one beat that is late'],
    [{ HEARTBEAT_MS: '30000' }, 'LEASE_MS: must be more than twice'],
  ])('refuses %j, saying what it would have caused', (environment, message) => {
    expect(() => load(environment)).toThrow(message);
  });

  it('takes proxies as addresses, networks and names of ranges', () => {
    const proxies = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', 'loopback'];
    expect(load({ TRUST_PROXY: proxies.join(', ') }).env.TRUST_PROXY).toEqual(proxies);
    expect(load({}).env.TRUST_PROXY).toEqual([]);
  });

  it('S13 has no default secret: outside of dev mode it refuses to start without one', () => {
    const outside = { AUTH_MODE: 'jwt', HOST: '0.0.0.0' };
    const invented = (): string => {
      throw new Error('a secret was made up');
    };
    for (const secret of [{}, { JWT_SECRET: '' }]) {
      expect(() => loadConfig({ ...outside, ...secret }, invented)).toThrow('JWT_SECRET: is required');
    }
    for (const short of [
      { JWT_SECRET: 'R4md0m_S3cr3t' },
      { JWT_SECRET: 's'.repeat(32), JWT_SECRET_PREVIOUS: 'short' },
    ]) {
      expect(() => loadConfig({ ...outside, ...short }, invented)).toThrow('at least 32 characters');
    }
    expect(loadConfig({ ...outside, JWT_SECRET: 's'.repeat(32) }, invented).jwtSecret).toBe('s'.repeat(32));
  });

  it('S13 lets nobody in without credentials who is not on this machine: dev mode stays on the loopback', () => {
    expect(() => load({ HOST: '0.0.0.0' })).toThrow('would let anyone on the network act as administrator');
  });

  it('names every wrong variable at once', () => {
    expect(() => load({ PORT: 'x', LOG_LEVEL: 'loud' })).toThrow(/PORT[\s\S]*LOG_LEVEL/);
  });

  it('takes AIWM_PUBLIC_URL as another name of PUBLIC_URL and drops the trailing slash', () => {
    expect(load({ AIWM_PUBLIC_URL: 'https://reins.example/' }).publicUrl(1)).toBe('https://reins.example');
    expect(load({ AIWM_PUBLIC_URL: 'https://a.example', PUBLIC_URL: 'https://b.example' }).publicUrl(1)).toBe(
      'https://b.example',
    );
  });

  it.each([
    ['127.0.0.1:3305', true],
    ['localhost', true],
    ['[::1]:3305', true],
    ['reins.example', true],
    ['attacker.example:3305', false],
    ['127.attacker.example', false],
    ['localhost.attacker.example', false],
    ['', false],
    [undefined, false],
  ])('knows whether the Host header %s is its own name: %s', (host, own) => {
    expect(load({ PUBLIC_URL: 'https://reins.example' }).isOwnName(host)).toBe(own);
  });

  it('treats an empty variable as unset', () => {
    expect(load({ MONGODB_URI: '' }).env.MONGODB_URI).toBeUndefined();
  });
});

describe('.env.example', () => {
  it('lists every variable, and none that does not exist', () => {
    const text = readFileSync(join(__dirname, '../../../../.env.example'), 'utf8');
    const listed = [...text.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map((match) => match[1]);
    expect([...new Set(listed)].sort()).toEqual([...CONFIG_VARIABLES].sort());
  });
});
