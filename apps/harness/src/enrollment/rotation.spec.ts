import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newObjectId } from '@reins/shared/ids';
import { HttpRefusal } from '../link/http';
import { createLogger, Secrets } from '../log/logger';
import { credentialsPath, readCredentials, writeCredentials } from './credentials-file';
import { Rotation } from './rotation';

let folder: string;
let file: string;
let lines: string[];
/** What each call of rotateSecret does; the last goes on. */
let answers: (() => string)[];
let calls: number;
let rotation: Rotation;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reins-rotation-'));
  file = credentialsPath(join(folder, 'state'));
  write();
  lines = [];
  answers = [() => 'the-new-secret'];
  calls = 0;
});
afterEach(async () => {
  await rotation.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(): void {
  const known = { agentId: newObjectId(), orgId: 'o', name: 'n', baseUrl: 'http://x', enrolledAt: 'then' };
  writeCredentials(file, { ...known, secret: 'the-old-secret' });
}

function start(withFile = true): Rotation {
  const log = createLogger({ level: 'debug', secrets: new Secrets(), write: (line) => lines.push(line) });
  const rotateSecret = async (): Promise<string> => {
    const answer = answers[Math.min(calls++, answers.length - 1)];
    return Promise.resolve().then(() => answer?.() ?? '');
  };
  rotation = new Rotation({ rotateSecret, file: withFile ? file : undefined, log, rng: { next: () => 0.01 } });
  return rotation;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

const logged = (text: string): number => lines.filter((line) => line.includes(text)).length;
const secret = (): string | undefined => readCredentials(file)?.secret;

describe('Rotation', () => {
  it('fetches one new secret for a request, however often the configuration names it, and writes it down', async () => {
    const { wanted } = bound(start());
    wanted(undefined);
    wanted('request 1');
    wanted('request 1');
    await until(() => logged('the credentials were rotated') === 1);
    wanted('request 1');
    expect(readCredentials(file)).toMatchObject({ secret: 'the-new-secret', name: 'n', enrolledAt: 'then' });
    expect(readCredentials(file)?.rotatedAt).toMatch(/^\d{4}-/);
    expect(calls).toBe(1);
    answers = [() => 'the-next-secret'];
    wanted('request 2');
    await until(() => secret() === 'the-next-secret');
  });

  it('goes on asking while the controller is away or the token has just ended', async () => {
    answers = [
      () => {
        throw new Error('connection refused');
      },
      () => {
        throw new HttpRefusal(401, 'token_expired', 'expired', 'c', undefined);
      },
      () => {
        throw new HttpRefusal(503, 'database_unavailable', 'down', 'c', undefined);
      },
      () => 'the-new-secret',
    ];
    start().wanted('request 1');
    await until(() => secret() === 'the-new-secret');
    expect(calls).toBe(4);
  });

  it.each([
    [400, 'agent_is_managed'],
    [401, 'invalid_credentials'],
    [404, 'agent_not_found'],
  ])('gives up after a %d %s and keeps the secret', async (status, code) => {
    answers = [
      () => {
        throw new HttpRefusal(status, code, 'no', 'c', undefined);
      },
    ];
    start().wanted('request 1');
    await until(() => logged('the credentials were not rotated') === 1);
    expect(calls).toBe(1);
    expect(secret()).toBe('the-old-secret');
  });

  it('writes the secret it got as soon as it can, and asks for no other', async () => {
    rmSync(file);
    start().wanted('request 1');
    await until(() => logged('writing the new secret down failed') > 1);
    write();
    await until(() => secret() === 'the-new-secret');
    expect(calls).toBe(1);
  });

  it('says once that credentials of the environment cannot be rotated', () => {
    const { wanted } = bound(start(false));
    for (const request of ['request 1', 'request 1', 'request 2', 'request 2']) wanted(request);
    expect(logged('cannot be rotated: they come from the environment')).toBe(2);
    expect(calls).toBe(0);
  });

  it('stops where it is when the harness stops', async () => {
    answers = [
      () => {
        throw new Error('connection refused');
      },
    ];
    const running = start();
    running.wanted('request 1');
    await until(() => calls > 1);
    await running.stop();
    const before = calls;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).toBe(before);
  });
});

const bound = (of: Rotation) => ({ wanted: (requestedAt: string | undefined) => of.wanted(requestedAt) });
