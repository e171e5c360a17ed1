import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newObjectId } from '@reins/shared/ids';
import { ConfigError } from '../config/load-config';
import { credentialsPath, readCredentials, type StoredCredentials, writeCredentials } from './credentials-file';
import { enrollmentKey, forgetEnrollmentKey } from './enrollment-key';

const CREDENTIALS: StoredCredentials = {
  agentId: newObjectId(),
  secret: 's'.repeat(64),
  orgId: 'org-1',
  name: 'web "1"\\ $(x)',
  baseUrl: 'http://127.0.0.1:1',
  enrolledAt: '2026-01-01T00:00:00.000Z',
};

let stateDir: string;
let path: string;

beforeEach(() => {
  stateDir = join(mkdtempSync(join(tmpdir(), 'reins-credentials-')), 'state');
  path = credentialsPath(stateDir);
});
afterEach(() => rmSync(join(stateDir, '..'), { recursive: true, force: true }));

const modeOf = (file: string): number => statSync(file).mode & 0o777;

describe('the credentials file', () => {
  it('is written for its owner only, whatever the umask, and read back as it was', () => {
    const before = process.umask(0);
    try {
      writeCredentials(path, CREDENTIALS);
    } finally {
      process.umask(before);
    }
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(stateDir)).toBe(0o700);
    expect(readCredentials(path)).toEqual(CREDENTIALS);
  });

  it('is replaced as a whole and leaves nothing beside it', () => {
    writeCredentials(path, CREDENTIALS);
    const inode = statSync(path).ino;
    writeCredentials(path, { ...CREDENTIALS, secret: 'another secret', rotatedAt: 'now' });
    expect(statSync(path).ino).not.toBe(inode);
    expect(readCredentials(path)).toMatchObject({ secret: 'another secret' });
    expect(readdirSync(stateDir)).toEqual(['credentials.json']);
  });

  it('keeps the old text where the new one cannot be written', () => {
    writeCredentials(path, CREDENTIALS);
    // The name of the temporary file is taken by a folder, which stands for any failure before the rename.
    mkdirSync(join(stateDir, `.credentials.json.${process.pid}.tmp`));
    expect(() => writeCredentials(path, { ...CREDENTIALS, secret: 'another secret' })).toThrow();
    expect(readCredentials(path)).toEqual(CREDENTIALS);
  });

  it('takes over the mode of no leftover', () => {
    mkdirSync(stateDir);
    const leftover = join(stateDir, `.credentials.json.${process.pid}.tmp`);
    writeFileSync(leftover, 'half', { mode: 0o644 });
    writeCredentials(path, CREDENTIALS);
    expect(modeOf(path)).toBe(0o600);
  });

  it.each([0o640, 0o604, 0o620, 0o666])('is refused with mode %o, without a word of what is in it', (mode) => {
    writeCredentials(path, CREDENTIALS);
    chmodSync(path, mode);
    const reading = (): unknown => readCredentials(path);
    expect(reading).toThrow(ConfigError);
    expect(reading).toThrow(/can be read by others \(mode 0\d{3}\).*chmod 600/);
    expect(reading).not.toThrow(CREDENTIALS.secret);
  });

  it.each([
    ['', 'empty'],
    ['{"agentId":', 'cut off'],
    [JSON.stringify({ ...CREDENTIALS, agentId: '../../x' }), 'of an agent with an id that is none'],
    [JSON.stringify({ ...CREDENTIALS, secret: '' }), 'without a secret'],
  ])('%j is refused and kept: it is %s', (text) => {
    mkdirSync(stateDir);
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => readCredentials(path)).toThrow(/does not hold an agent's credentials: delete it to register/);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('that is a folder is refused, and none is none', () => {
    expect(readCredentials(path)).toBeUndefined();
    mkdirSync(path, { recursive: true });
    expect(() => readCredentials(path)).toThrow('is not a file');
  });
});

describe('the enrollment key', () => {
  const file = (): string => join(stateDir, 'enrollment.key');

  it('is random, stays the same until it is forgotten, and is its owner’s', () => {
    const key = enrollmentKey(stateDir);
    expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(enrollmentKey(stateDir)).toBe(key);
    expect(modeOf(file())).toBe(0o600);
    forgetEnrollmentKey(stateDir);
    forgetEnrollmentKey(stateDir);
    expect(enrollmentKey(stateDir)).not.toBe(key);
  });

  it('that was cut off is made anew; one that others can read is refused', () => {
    mkdirSync(stateDir);
    writeFileSync(file(), 'half', { mode: 0o600 });
    expect(enrollmentKey(stateDir)).toHaveLength(43);
    chmodSync(file(), 0o644);
    expect(() => enrollmentKey(stateDir)).toThrow(ConfigError);
  });

  it('says so where the state folder cannot be made', () => {
    writeFileSync(stateDir, 'a file');
    expect(() => enrollmentKey(stateDir)).toThrow(ConfigError);
  });
});
