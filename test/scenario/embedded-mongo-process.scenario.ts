import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { ensureEmbeddedMongo, stopEmbeddedMongo } from '@reins/embedded-mongo';
import { wakeWritersOfClosedSockets } from '@reins/shared/util/closed-sockets';
import { ENTRY, refusal, ServerProcess } from './embedded-mongo/server-process';

// The servers here are killed under the driver's hands.
wakeWritersOfClosedSockets();

const run = promisify(execFile);
let server: ServerProcess;

beforeEach(() => {
  server = new ServerProcess();
});
afterEach(() => server.dispose());

async function eventually(check: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the server process', () => {
  it.each([
    [['--socket', '/tmp/x.sock'], /--dir is missing/],
    [['--dir', '/tmp/x'], /--socket PATH or --port N/],
    [['--dir', '/tmp/x', '--socket', 'a', '--port', '1'], /exclude each other/],
    [['--dir', '/tmp/x', '--port', 'many'], /not a port number/],
    [['--dir', '/tmp/x', '--port', '0', '--host', '0.0.0.0'], /not a loopback address/],
    [['--dir', '/tmp/x', '--socket', `/tmp/${'x'.repeat(120)}`], /socket path is \d+ bytes long/],
    [['--nope'], /usage:/],
  ])('refuses %j in plain words', async (args, message) => {
    const result = await refusal(args);
    expect(result.code).toBe(1);
    expect(result.message).toMatch(message);
  });

  it('keeps its socket to its user, and ends with 0 on SIGTERM with everything stored', async () => {
    await server.start();
    expect(statSync(server.socketPath).mode & 0o777).toBe(0o600);
    const client = await MongoClient.connect(server.uri);
    const writes = Array.from({ length: 50 }, (_, i) =>
      client.db('d').collection<{ _id: number }>('c').insertOne({ _id: i }),
    );
    const settled = Promise.allSettled(writes);
    expect(await server.end('SIGTERM')).toBe(0);
    const acknowledged = (await settled).filter(({ status }) => status === 'fulfilled').length;
    await client.close(true);
    await server.start();
    const again = await MongoClient.connect(server.uri);
    expect(await again.db('d').collection('c').countDocuments()).toBeGreaterThanOrEqual(acknowledged);
    await again.close();
  });

  it('refuses a second server on its directory, and never minds a killed predecessor', async () => {
    await server.start();
    const second = await refusal(['--dir', server.dataDir, '--port', '0']);
    expect(second.code).toBe(1);
    expect(second.message).toMatch(/is in use by process \d+/);
    await server.end('SIGKILL');
    expect(statSync(server.socketPath).isSocket()).toBe(true);
    await server.start();
  });

  it('takes over a lock whose pid was given to another process', async () => {
    await server.start();
    await server.end('SIGTERM');
    writeFileSync(join(server.dataDir, 'server.lock'), `${process.pid} 1`);
    await server.start();
  });

  it('serves several processes at once without losing an increment', async () => {
    await server.start();
    const client = await MongoClient.connect(server.uri);
    const counters = client.db('d').collection<{ _id: string; n: number }>('counters');
    await counters.insertOne({ _id: 'one', n: 0 });
    const script = join(server.dir, 'increment.cjs');
    writeFileSync(
      script,
      `const { MongoClient } = require(${JSON.stringify(require.resolve('mongodb'))});
       (async () => {
         const client = await MongoClient.connect(process.argv[2]);
         const counters = client.db('d').collection('counters');
         for (let i = 0; i < 100; i++) await counters.updateOne({ _id: 'one' }, { $inc: { n: 1 } });
         await client.close();
       })();`,
    );
    await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, [script, server.uri])));
    expect((await counters.findOne({ _id: 'one' }))?.n).toBe(400);
    await client.close();
  }, 60_000);

  it('deletes what has expired, and keeps the rest', async () => {
    await server.start();
    const client = await MongoClient.connect(server.uri);
    const collection = client.db('d').collection<{ _id: number; at?: unknown }>('expiring');
    await collection.createIndex({ at: 1 }, { expireAfterSeconds: 0 });
    const [past, future] = [new Date(Date.now() - 1000), new Date(Date.now() + 3_600_000)];
    await collection.insertMany([
      { _id: 1, at: past },
      { _id: 2, at: future },
      { _id: 3, at: [future, past] },
      { _id: 4, at: 'text' },
      { _id: 5 },
    ]);
    await eventually(async () => (await collection.countDocuments({ at: past })) === 0);
    expect((await collection.find().toArray()).map(({ _id }) => _id)).toEqual([2, 4, 5]);
    await client.close();
  }, 40_000);
});

describe('the supervisor', () => {
  it('shares one server between callers, restarts it after SIGKILL, and leaves it running when it closes', async () => {
    const dir = join(server.dir, 'supervised');
    const options = { dir, entry: ENTRY };
    const [one, two] = await Promise.all([ensureEmbeddedMongo(options), ensureEmbeddedMongo(options)]);
    const pid = (): number => Number(readFileSync(join(dir, 'server.lock'), 'utf8').split(' ')[0]);
    try {
      expect(two.uri).toBe(one.uri);
      const client = await MongoClient.connect(one.uri);
      const collection = client.db('d').collection<{ _id: number }>('c');
      await collection.insertOne({ _id: 1 });
      const first = pid();
      process.kill(first, 'SIGKILL');
      await eventually(async () => (await collection.findOne({ _id: 1 }).catch(() => null)) !== null);
      expect(pid()).not.toBe(first);
      await client.close();
      await one.close();
      await two.close();
      const third = await ensureEmbeddedMongo(options);
      const again = await MongoClient.connect(third.uri);
      expect(await again.db('d').collection('c').countDocuments()).toBe(1);
      await again.close();
      await third.close({ stop: true });
    } finally {
      await stopEmbeddedMongo(dir);
    }
  }, 60_000);

  it('finds a short socket path for a long directory', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'embedded-mongo-')), 'long'.repeat(30));
    const long = await ensureEmbeddedMongo({ dir, entry: ENTRY });
    expect(Buffer.byteLength(long.socketPath)).toBeLessThan(104);
    await long.close({ stop: true });
    rmSync(join(dir, '..'), { recursive: true });
  });

  it('tells why a server did not start', async () => {
    const missing = join(server.dir, 'no-such-entry.js');
    await expect(ensureEmbeddedMongo({ dir: join(server.dir, 'broken'), entry: missing })).rejects.toThrow(
      /did not start[^]*Cannot find module/,
    );
  });
});
