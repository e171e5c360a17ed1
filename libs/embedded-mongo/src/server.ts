import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { startInterval, type Interval } from '@reins/shared/util';
import { type Engine } from './commands/command';
import { Cursors } from './cursor/cursors';
import { DirectoryLock } from './storage/lock';
import { Catalog } from './storage/catalog';
import { Store } from './storage/store';
import { deleteExpired } from './storage/ttl';
import { MAX_SOCKET_PATH, socketUri } from './supervisor/socket-path';
import { Connection } from './wire/connection';

export interface ServerOptions {
  /** Where the data lives; made if it is missing. One server a directory. */
  dir: string;
  /** A Unix socket, or … */
  socketPath?: string;
  /** … a TCP port of the loopback interface; 0 picks a free one. */
  port?: number;
  /** Default 127.0.0.1. Anything but loopback is refused. */
  host?: string;
  /** How often expired documents are deleted. Default 10 s. */
  ttlEveryMs?: number;
  /** Gets a line for what an operator should know. Default: nowhere. */
  onLog?: (line: string) => void;
}

export interface EmbeddedMongoServer {
  /** For the driver. */
  uri: string;
  /** The socket path, or host and port. */
  address: string;
  /** Answers what is under way, flushes to disk, and releases the directory. */
  close(): Promise<void>;
}

/** As often as MongoDB writes its journal. */
const FLUSH_EVERY_MS = 100;
const TTL_EVERY_MS = 10_000;
const IDLE_CURSORS_EVERY_MS = 60_000;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** Starts a server in this process. Rejects with a plain message when the directory or the address is taken. */
export async function startEmbeddedMongo(options: ServerOptions): Promise<EmbeddedMongoServer> {
  const { dir, onLog = () => undefined } = options;
  assertAddress(options);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = DirectoryLock.acquire(dir);
  try {
    return await startLocked(options, lock, onLog);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(
  options: ServerOptions,
  lock: DirectoryLock,
  onLog: (line: string) => void,
): Promise<EmbeddedMongoServer> {
  const store = new Store(options.dir);
  const connections = new Map<Socket, Connection>();
  const catalog = new Catalog(store);
  const engine: Engine = {
    store,
    catalog,
    cursors: new Cursors(),
    startedAt: Date.now(),
    connections: () => connections.size,
  };
  let lastId = 0;
  const server = createServer((socket) => {
    connections.set(socket, new Connection(socket, engine, ++lastId, onLog));
    socket.on('close', () => connections.delete(socket));
  });
  let address: { uri: string; address: string };
  try {
    address = await listen(server, options);
  } catch (error) {
    await store.close();
    throw error;
  }
  const stopping = new AbortController();
  const purged = catalog
    .purgeOrphans(stopping.signal)
    .catch((error: unknown) => onLog(`purge failed: ${String(error)}`));
  const loops = backgroundLoops(engine, options, onLog);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stopping.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await Promise.all([...connections.values()].map((connection) => connection.finish()));
    await Promise.all([closed, purged, ...loops.map((loop) => loop.stop())]);
    await store.close();
    lock.release();
  };
  return { ...address, close: () => (closing ??= close()) };
}

function backgroundLoops(engine: Engine, options: ServerOptions, onLog: (line: string) => void): Interval[] {
  const onError = (what: string) => (error: unknown) =>
    onLog(`${what} failed: ${error instanceof Error ? error.message : String(error)}`);
  return [
    startInterval({ everyMs: FLUSH_EVERY_MS, run: () => engine.store.flush(), onError: onError('flush') }),
    startInterval({
      everyMs: options.ttlEveryMs ?? TTL_EVERY_MS,
      run: (signal) => deleteExpired(engine, signal),
      onError: onError('deleting expired documents'),
    }),
    startInterval({
      everyMs: IDLE_CURSORS_EVERY_MS,
      run: () => engine.cursors.closeIdle(),
      onError: onError('closing cursors'),
    }),
  ];
}

function assertAddress({ socketPath, port, host }: ServerOptions): void {
  if ((socketPath === undefined) === (port === undefined)) throw new Error('give either a socket path or a port');
  if (host !== undefined && !LOOPBACK.has(host)) {
    throw new Error(
      `host '${host}' is not a loopback address; this server has no access control and listens on loopback only`,
    );
  }
  if (socketPath !== undefined && Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) {
    throw new Error(
      `socket path is ${Buffer.byteLength(socketPath)} bytes long; the system allows ${MAX_SOCKET_PATH}: ${socketPath}`,
    );
  }
}

async function listen(server: Server, options: ServerOptions): Promise<{ uri: string; address: string }> {
  const { socketPath, port, host = '127.0.0.1' } = options;
  if (socketPath === undefined) {
    await listening(server, () => server.listen(port, host));
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the server has no port');
    const name = host.includes(':') ? `[${host}]` : host;
    return { uri: `mongodb://${name}:${bound.port}/`, address: `${name}:${bound.port}` };
  }
  await removeStaleSocket(socketPath);
  // The file must never be open to others, not even between its creation and a chmod.
  const umask = process.umask(0o177);
  try {
    await listening(server, () => server.listen(socketPath));
  } finally {
    process.umask(umask);
  }
  chmodSync(socketPath, 0o600);
  return { uri: socketUri(socketPath), address: socketPath };
}

function listening(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    start();
  });
}

/** A socket file nobody answers on was left by a process that was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (alive) throw new Error(`another server listens on ${path}`);
  rmSync(path, { force: true });
}
