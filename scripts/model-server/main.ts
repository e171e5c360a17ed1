import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startModelServer } from './server';

/**
 * A local stand-in for paid model services, so that the real agent CLIs run without a network and without a key.
 * It is not a model: its answers are scripted, steered by directives in the prompt (docs/reference/drivers.md).
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, log: { type: 'string' } } });
  const { log } = values;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port} is not a port`);
  const server = await startModelServer({
    port,
    onRequest: (record) => {
      if (log !== undefined) appendFileSync(log, `${JSON.stringify(record)}\n`);
    },
  });
  console.log(`model server listening on ${server.url}`);
  console.log(
    'This is a local stand-in for model services, for demos and tests: every answer is scripted, no model runs.',
  );
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await server.close();
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
