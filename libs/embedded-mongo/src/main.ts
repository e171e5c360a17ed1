import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedMongo } from './server';

const USAGE = `usage: embedded-mongo --dir DIR (--socket PATH | --port N [--host 127.0.0.1])

  --dir DIR      where the data lives; made if it is missing
  --socket PATH  listen on a Unix socket
  --port N       listen on a port of the loopback interface; 0 picks a free one
  --host HOST    a loopback address; default 127.0.0.1`;

interface Flags {
  dir: string;
  socketPath?: string;
  port?: number;
  host?: string;
}

/** Reads the flags; throws with a plain sentence for what is wrong. */
function readFlags(argv: string[]): Flags | 'help' {
  const { values } = parseArgs({
    args: argv,
    options: {
      dir: { type: 'string' },
      socket: { type: 'string' },
      port: { type: 'string' },
      host: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return 'help';
  const { dir, socket, port, host } = values;
  if (!dir) throw new Error('--dir is missing: say where the data should live');
  if (socket === undefined && port === undefined) throw new Error('give --socket PATH or --port N to listen on');
  if (socket !== undefined && port !== undefined) throw new Error('--socket and --port exclude each other');
  if (socket !== undefined) {
    if (host !== undefined) throw new Error('--host goes with --port, not with --socket');
    return { dir: resolve(dir), socketPath: resolve(socket) };
  }
  if (!/^\d{1,5}$/.test(port ?? '') || Number(port) > 65535) throw new Error(`--port '${port}' is not a port number`);
  return { dir: resolve(dir), port: Number(port), ...(host === undefined ? {} : { host }) };
}

async function main(): Promise<void> {
  const flags = readFlags(process.argv.slice(2));
  if (flags === 'help') {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const server = await startEmbeddedMongo({ ...flags, onLog: (line) => process.stderr.write(`${line}\n`) });
  process.stdout.write(`embedded-mongo listening on ${server.address}\n`);
  const stop = (): void => {
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function fail(error: unknown): never {
  process.stderr.write(`embedded-mongo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

main().catch((error: unknown) => {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code.startsWith('ERR_PARSE_ARGS')) process.stderr.write(`${USAGE}\n\n`);
  fail(error);
});
