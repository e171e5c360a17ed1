import 'reflect-metadata';
import { startController } from './bootstrap';
import { loadConfig } from './config/config';
import { devSecret } from './config/dev-secret';

const EXIT_CONFIG = 2;
const EXIT_FAILURE = 1;

async function main(): Promise<void> {
  const config = readConfig();
  const controller = await startController(config);
  process.stdout.write(`controller listening on ${controller.url} (AUTH_MODE=${config.env.AUTH_MODE})\n`);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal means: now.
      if (stopping) process.exit(EXIT_FAILURE);
      stopping = true;
      controller.stop().then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
    });
  }
}

function readConfig(): ReturnType<typeof loadConfig> {
  try {
    return loadConfig(process.env, devSecret);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(EXIT_CONFIG);
  }
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(EXIT_FAILURE);
}

main().catch(fail);
