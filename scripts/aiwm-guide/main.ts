import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stopEmbeddedMongo } from '@reins/embedded-mongo';
import { Processes } from '../first-run/processes';
import { Callers } from './callers';
import { Checks } from './checks';
import { replay } from './replay';

const USAGE = `Usage: ./scripts/replay-aiwm-guide [--url URL --jwt-secret SECRET]

  --url URL             a running controller (AUTH_MODE=jwt); without it one is started and removed again
  --jwt-secret SECRET   its JWT_SECRET, to make the tokens of an administrator, a viewer and another organisation`;

const CONTROLLER = 'dist/apps/controller/main.js';
const START_WITHIN_MS = 60_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { url: { type: 'string' }, 'jwt-secret': { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  if (values.url !== undefined) {
    const secret = values['jwt-secret'];
    if (secret === undefined) throw new Error(`--jwt-secret is needed with --url\n\n${USAGE}`);
    return play(values.url.replace(/\/+$/, ''), secret);
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'reins-guide-'));
  const processes = new Processes(dataDir);
  const JWT_SECRET = randomBytes(32).toString('hex');
  const env = { ...process.env, PORT: '0', AUTH_MODE: 'jwt', JWT_SECRET, REINS_DATA_DIR: dataDir, PUBLIC_URL: '' };
  try {
    const { url } = await processes.start('controller', [CONTROLLER], definedOnly(env), START_WITHIN_MS);
    await play(url, JWT_SECRET);
  } finally {
    await processes.stop('controller');
    await stopEmbeddedMongo(join(dataDir, 'database'));
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function play(url: string, jwtSecret: string): Promise<void> {
  const checks = new Checks();
  await replay(new Callers(url, jwtSecret), checks);
  process.stdout.write(`\n${checks.passed} checks passed, ${checks.failed} failed\n`);
  if (checks.failed > 0) process.exitCode = 1;
}

/** An empty variable of the caller is one that is not set. */
function definedOnly(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
