import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'bson';
import { type Document, GridFSBucket, MongoClient, ObjectId } from 'mongodb';
import { type EmbeddedMongoServer, startEmbeddedMongo } from './server';

type Row = Record<string, unknown>;
interface Stored extends Document {
  _id: number;
}
interface Stage extends Row {
  stage: string;
  indexName?: string;
  inputStage?: Stage;
}
interface Explained {
  queryPlanner: { winningPlan: Stage };
  executionStats: { totalDocsExamined: number; totalKeysExamined: number; nReturned: number };
}

let dir: string;
let server: EmbeddedMongoServer;
let client: MongoClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-mongo-'));
  server = await startEmbeddedMongo({ dir, port: 0 });
  client = await MongoClient.connect(server.uri);
});

afterAll(async () => {
  await client.close();
  await server.close();
  rmSync(dir, { recursive: true });
});

const innermost = (stage: Stage): Stage => (stage.inputStage ? innermost(stage.inputStage) : stage);

async function plan(query: Promise<unknown>): Promise<Row> {
  const { queryPlanner, executionStats } = (await query) as Explained;
  const { stage, indexName } = innermost(queryPlanner.winningPlan);
  const { totalDocsExamined, totalKeysExamined, nReturned } = executionStats;
  return {
    stage,
    indexName,
    docs: totalDocsExamined,
    keys: totalKeysExamined,
    returned: nReturned,
    outer: queryPlanner.winningPlan.stage,
  };
}

describe('among 100,000 documents', () => {
  const big = () => client.db('big').collection<Stored>('items');

  beforeAll(async () => {
    await big().createIndexes([
      { key: { code: 1 }, unique: true },
      { key: { org: 1, state: 1, at: -1 } },
      { key: { tag: 1 }, partialFilterExpression: { live: true } },
    ]);
    for (let at = 0; at < 100_000; at += 10_000) {
      await big().insertMany(
        Array.from({ length: 10_000 }, (_, i) => {
          const n = at + i;
          return {
            _id: n,
            code: `c${n}`,
            org: `o${n % 50}`,
            state: n % 3,
            at: new Date(n),
            tag: n % 1000,
            live: n % 2 === 0,
            list: n % 7,
          };
        }),
      );
    }
  }, 120_000);

  it('a look-up by id or by a unique key examines one document', async () => {
    expect(await plan(big().find({ _id: 77_777 }).explain())).toMatchObject({
      stage: 'IXSCAN',
      indexName: '_id_',
      docs: 1,
      keys: 1,
    });
    expect(await plan(big().find({ code: 'c4711' }).explain())).toMatchObject({
      stage: 'IXSCAN',
      indexName: 'code_1',
      docs: 1,
      keys: 1,
    });
  });

  it('equality, then sort, with a limit reads only what it returns', async () => {
    const query = big().find({ org: 'o7', state: 1 }).sort({ at: -1 }).limit(5);
    expect(await plan(query.explain())).toMatchObject({
      stage: 'IXSCAN',
      indexName: 'org_1_state_1_at_-1',
      outer: 'LIMIT',
      docs: 5,
      returned: 5,
    });
    const backwards = big().find({ org: 'o7', state: 1 }).sort({ at: 1 }).limit(5);
    expect(await plan(backwards.explain())).toMatchObject({ stage: 'IXSCAN', docs: 5 });
    expect((await backwards.toArray()).map(({ _id }) => Number(_id))).toEqual([7, 157, 307, 457, 607]);
  });

  it('a range, a list and an $or read little more than they return', async () => {
    const range = await plan(
      big()
        .find({ code: { $gte: 'c9999', $lt: 'c99995' } })
        .explain(),
    );
    expect(range).toMatchObject({ stage: 'IXSCAN', docs: range.returned });
    expect(
      await plan(
        big()
          .find({ code: { $in: ['c1', 'c2', 'nope'] } })
          .explain(),
      ),
    ).toMatchObject({ stage: 'IXSCAN', docs: 2 });
    const either = (await big()
      .find({ $or: [{ _id: 1 }, { code: 'c2' }] })
      .explain()) as unknown as Explained;
    expect(either.executionStats).toMatchObject({ totalDocsExamined: 2, nReturned: 2 });
  });

  it('a partial index is used only when the query implies its filter', async () => {
    expect(await plan(big().find({ tag: 8, live: true }).explain())).toMatchObject({
      stage: 'IXSCAN',
      indexName: 'tag_1',
      docs: 100,
    });
    expect(await plan(big().find({ tag: 8 }).explain())).toMatchObject({
      stage: 'COLLSCAN',
      docs: 100_000,
      returned: 100,
    });
  });

  it('explains writes and pipelines without running them', async () => {
    const db = client.db('big');
    const update = { update: 'items', updates: [{ q: { code: 'c1' }, u: { $set: { x: 1 } } }] };
    expect(await plan(db.command({ explain: update, verbosity: 'executionStats' }))).toMatchObject({
      outer: 'UPDATE',
      indexName: 'code_1',
      docs: 1,
    });
    expect(
      await plan(db.command({ explain: { delete: 'items', deletes: [{ q: { _id: 1 }, limit: 1 }] } })),
    ).toMatchObject({ outer: 'DELETE', docs: 1 });
    expect(
      await plan(
        big()
          .aggregate([{ $match: { code: 'c1' } }, { $project: { at: 1 } }])
          .explain(),
      ),
    ).toMatchObject({ indexName: 'code_1', docs: 1 });
    expect(await big().countDocuments({ code: 'c1', x: { $exists: false } })).toBe(1);
  });

  it('answers others while one client scans', async () => {
    const scanning = big().countDocuments({ list: { $gt: 100 } });
    let answered = 0;
    let done = false;
    void scanning.then(() => (done = true));
    while (!done) {
      await client.db('big').command({ ping: 1 });
      answered++;
    }
    expect(await scanning).toBe(0);
    expect(answered).toBeGreaterThan(3);
  }, 60_000);

  it('changes many documents in steps, each of them once', async () => {
    const { modifiedCount } = await big().updateMany({ org: 'o1' }, { $set: { org: 'o0' } });
    expect(modifiedCount).toBe(2000);
    expect(await big().countDocuments({ org: 'o0' })).toBe(4000);
    expect((await big().deleteMany({ org: 'o0' })).deletedCount).toBe(4000);
    expect(await big().estimatedDocumentCount()).toBe(96_000);
  }, 60_000);
});

describe('the wire', () => {
  it('takes a write that wants no answer', async () => {
    const collection = client.db('wire').collection<Stored>('silent', { writeConcern: { w: 0 } });
    await collection.insertOne({ _id: 1 });
    const found = async (): Promise<boolean> => (await client.db('wire').collection('silent').countDocuments()) === 1;
    while (!(await found())) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  it('waits for the disk when the journal is asked for', async () => {
    const collection = client.db('wire').collection<Stored>('journaled', { writeConcern: { w: 1, journal: true } });
    await expect(collection.insertOne({ _id: 1 })).resolves.toMatchObject({ acknowledged: true });
  });

  it('refuses a document over 16 MiB and keeps one just below', async () => {
    const db = client.db('wire');
    const limit = 16 * 1024 * 1024;
    const text = (size: number): string => 'x'.repeat(size);
    await db.command({ insert: 'large', documents: [{ _id: 1, t: text(limit - 100) }] });
    await expect(
      db.collection<Stored>('large').updateOne({ _id: 1 }, { $set: { u: text(200) } }),
    ).rejects.toMatchObject({
      code: 10334,
    });
    expect((await db.collection<Stored>('large').findOne({ _id: 1 }))?.u).toBeUndefined();
  });

  it('carries sessions and keeps what a client sent while they last', async () => {
    const session = client.startSession();
    await client.db('wire').collection<Stored>('sessions').insertOne({ _id: 1 }, { session });
    expect(await client.db('wire').collection<Stored>('sessions').findOne({ _id: 1 }, { session })).toEqual({ _id: 1 });
    await session.endSession();
  });

  it('closes a connection that talks nonsense and serves the others', async () => {
    const { hostname, port } = new URL(server.uri);
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(Buffer.alloc(64, 0xff)));
      socket.once('close', () => resolve());
      socket.once('error', () => undefined);
    });
    expect((await client.db('wire').command({ ping: 1 })).ok).toBe(1);
  });

  it('answers a legacy handshake', async () => {
    const { hostname, port } = new URL(server.uri);
    const body = serialize({ isMaster: 1, helloOk: true });
    const name = Buffer.from('admin.$cmd\0');
    const message = Buffer.concat([Buffer.alloc(20), name, Buffer.alloc(8), body]);
    message.writeInt32LE(message.length, 0);
    message.writeInt32LE(2004, 12);
    const reply = await new Promise<Buffer>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write(message));
      socket.once('data', (data) => {
        socket.destroy();
        resolve(data);
      });
    });
    expect(reply.readInt32LE(12)).toBe(1);
    expect(reply.toString('latin1')).toContain('maxWireVersion');
  });
});

it('keeps files in GridFS', async () => {
  const bucket = new GridFSBucket(client.db('files'), { chunkSizeBytes: 1000 });
  const content = Buffer.from(Array.from({ length: 25_500 }, (_, i) => i % 251));
  const upload = bucket.openUploadStream('a.bin', { metadata: { kind: 'test' } });
  await new Promise<void>((resolve, reject) =>
    upload.end(content, (error?: Error | null) => (error ? reject(error) : resolve())),
  );
  const read = async (options?: { start: number; end: number }): Promise<Buffer> =>
    Buffer.concat((await bucket.openDownloadStream(upload.id, options).toArray()) as Buffer[]);
  expect((await read()).equals(content)).toBe(true);
  expect((await read({ start: 1500, end: 4200 })).equals(content.subarray(1500, 4200))).toBe(true);
  await bucket.rename(upload.id, 'b.bin');
  expect(
    (await bucket.find({ 'metadata.kind': 'test' }).toArray()).map(({ filename, length }) => [filename, length]),
  ).toEqual([['b.bin', 25_500]]);
  await bucket.delete(upload.id);
  expect(await client.db('files').collection('fs.chunks').countDocuments()).toBe(0);
  await expect(bucket.delete(new ObjectId())).rejects.toThrow(/not found/);
});

it('changes the expiry of a TTL index', async () => {
  const db = client.db('ttl');
  await db.collection('c').createIndex({ at: 1 }, { expireAfterSeconds: 100 });
  const reply = await db.command({ collMod: 'c', index: { keyPattern: { at: 1 }, expireAfterSeconds: 5 } });
  expect(reply).toMatchObject({ expireAfterSeconds_old: 100, expireAfterSeconds_new: 5 });
  expect((await db.collection('c').indexes()).at(-1)).toMatchObject({ expireAfterSeconds: 5 });
});

it('builds one index when many clients ask for it at once, while documents are written', async () => {
  const collection = client.db('build').collection<Stored>('c');
  await collection.insertMany(Array.from({ length: 3000 }, (_, i) => ({ _id: i, v: i })));
  const builds = Array.from({ length: 5 }, () => collection.createIndex({ v: 1 }, { unique: true }));
  const writes = Array.from({ length: 200 }, (_, i) => collection.insertOne({ _id: 10_000 + i, v: 10_000 + i }));
  await Promise.all([...builds, ...writes]);
  expect(await collection.indexes()).toHaveLength(2);
  expect(await collection.find().hint('v_1').toArray()).toHaveLength(3200);
});
