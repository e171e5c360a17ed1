import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedMongoServer, startEmbeddedMongo } from '@reins/embedded-mongo';
import { randomBytes } from 'node:crypto';
import { type RunningController, startController } from '../../apps/controller/src/bootstrap';
import { loadConfig } from '../../apps/controller/src/config/config';

export interface TestController extends RunningController {
  dataDir: string;
  /** Its database, for another controller beside it. */
  mongoUri: string;
  /** Stops the controller and its database and removes its data. */
  close(): Promise<void>;
}

/**
 * A whole controller in this process, listening on a free port. Its database is the embedded engine, or a fresh database
 * on the server that TEST_MONGODB_URI names.
 */
export async function bootController(env: Record<string, string> = {}): Promise<TestController> {
  const dataDir = mkdtempSync(join(tmpdir(), 'reins-e2e-'));
  const engine = process.env['TEST_MONGODB_URI'] === undefined ? await startEngine(dataDir) : undefined;
  const server = engine?.uri ?? process.env['TEST_MONGODB_URI'] ?? '';
  const MONGODB_URI = `${server.replace(/\/$/, '')}/reins-${randomBytes(6).toString('hex')}`;
  const defaults = { PORT: '0', LOG_LEVEL: 'silent', REINS_DATA_DIR: dataDir, MONGODB_URI };
  const config = loadConfig({ ...defaults, ...env }, () => 'a secret that only this test knows, long enough');
  const controller = await startController(config);
  return {
    ...controller,
    dataDir,
    mongoUri: config.env.MONGODB_URI ?? '',
    close: async () => {
      await controller.stop();
      killHarnesses(dataDir);
      await engine?.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function startEngine(dataDir: string): Promise<EmbeddedMongoServer> {
  return startEmbeddedMongo({ dir: join(dataDir, 'database'), port: 0 });
}

/** Harnesses outlive their controller; a test's must not. */
function killHarnesses(dataDir: string): void {
  const sessions = join(dataDir, 'sessions');
  for (const session of existsSync(sessions) ? readdirSync(sessions) : []) {
    const record = join(sessions, session, 'process.json');
    if (!existsSync(record)) continue;
    const { pid } = JSON.parse(readFileSync(record, 'utf8')) as { pid: number };
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
