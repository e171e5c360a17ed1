import { type Collection, MongoClient } from 'mongodb';
import { seeded } from './embedded-mongo/random';
import { wakeWritersOfClosedSockets } from '@reins/shared/util/closed-sockets';
import { ServerProcess } from './embedded-mongo/server-process';

// The servers here are killed under the driver's hands.
wakeWritersOfClosedSockets();

interface Item {
  _id: number;
  key: number;
  version: number;
  tags: string[];
  pad: string;
}

const WRITES = 500;
const ROUNDS = 6;
const LANES = 4;

/** What a document may be after a crash: its last acknowledged state, or the one write that was under way. */
interface Expectation {
  acknowledged: Item | undefined;
  pending: { state: Item | undefined } | undefined;
}

let server: ServerProcess;

beforeEach(() => {
  server = new ServerProcess();
});
afterEach(() => server.dispose());

test.each(Array.from({ length: ROUNDS }, (_, i) => i))(
  'every acknowledged write survives SIGKILL, and none is half done (round %i)',
  async (round) => {
    const seed = (Date.now() + round * 7919) >>> 0;
    const random = seeded(seed);
    await server.start();
    const expected = new Map<number, Expectation>();
    const killAfter = Math.floor(random() * (WRITES - 20)) + 10;
    const acknowledged = await writeUntilKilled(random, expected, killAfter);
    await server.start();
    try {
      await verify(expected);
    } catch (error) {
      throw new Error(`seed ${seed}, killed after ${acknowledged} of ${WRITES} writes`, { cause: error });
    }
  },
  60_000,
);

async function connect(): Promise<{ client: MongoClient; collection: Collection<Item> }> {
  const client = await MongoClient.connect(server.uri, {
    serverSelectionTimeoutMS: 2000,
    retryWrites: false,
    maxPoolSize: LANES,
  });
  return { client, collection: client.db('crash').collection<Item>('items') };
}

async function writeUntilKilled(
  random: () => number,
  expected: Map<number, Expectation>,
  killAfter: number,
): Promise<number> {
  const { client, collection } = await connect();
  await collection.createIndexes([
    { key: { key: 1 }, name: 'key', unique: true },
    { key: { tags: 1, version: -1 }, name: 'tags' },
    { key: { version: 1 }, name: 'even', partialFilterExpression: { version: { $gte: 2 } } },
  ]);
  let started = 0;
  let acknowledged = 0;
  let killed: Promise<unknown> | undefined;
  const lane = async (number: number): Promise<void> => {
    while (started < WRITES && !killed) {
      started++;
      const id = number * 1000 + Math.floor(random() * 40);
      const expectation = expected.get(id) ?? { acknowledged: undefined, pending: undefined };
      expected.set(id, expectation);
      const before = expectation.acknowledged;
      const after = nextState(random, id, before);
      expectation.pending = { state: after };
      // A write that fails because the server was killed stays pending: it may have happened or not.
      const done = await write(collection, id, before, after).then(
        () => true,
        () => false,
      );
      if (!done) return;
      expectation.acknowledged = after;
      expectation.pending = undefined;
      acknowledged++;
      // Killed while the other lanes have writes under way.
      if (acknowledged === killAfter) killed = server.end('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  await killed;
  await client.close(true);
  expect(killed).toBeDefined();
  return acknowledged;
}

function nextState(random: () => number, id: number, before: Item | undefined): Item | undefined {
  if (before && random() < 0.25) return undefined;
  const tags = Array.from({ length: Math.floor(random() * 4) }, () => `t${Math.floor(random() * 5)}`);
  const pad = 'x'.repeat(Math.floor(random() * 6000));
  return { _id: id, key: before?.key ?? id, version: (before?.version ?? 0) + 1, tags, pad };
}

async function write(
  collection: Collection<Item>,
  id: number,
  before: Item | undefined,
  after: Item | undefined,
): Promise<unknown> {
  if (!after) return collection.deleteOne({ _id: id });
  if (!before) return collection.insertOne(after);
  const { version, tags, pad } = after;
  return collection.updateOne({ _id: id }, { $set: { version, tags, pad } });
}

async function verify(expected: ReadonlyMap<number, Expectation>): Promise<void> {
  const { client, collection } = await connect();
  try {
    const stored = new Map((await collection.find().hint({ $natural: 1 }).toArray()).map((item) => [item._id, item]));
    for (const [id, { acknowledged, pending }] of expected) {
      const allowed = pending ? [acknowledged, pending.state] : [acknowledged];
      expect(allowed).toContainEqual(stored.get(id));
    }
    expect([...stored.keys()].filter((id) => !expected.has(id))).toEqual([]);
    await verifyIndexes(collection, [...stored.values()]);
    await collection.insertOne({ _id: -1, key: -1, version: 1, tags: [], pad: '' });
  } finally {
    await client.close();
  }
}

/** A document has an entry for each tag, or one for none. */
const countTags = (items: readonly Item[]): number =>
  items.map(({ tags }) => Math.max(1, new Set(tags).size)).reduce((sum, n) => sum + n, 0);

/** Each index, scanned from end to end, must give exactly the documents that belong in it. */
async function verifyIndexes(collection: Collection<Item>, stored: readonly Item[]): Promise<void> {
  const ids = (items: readonly Item[]): number[] => items.map(({ _id }) => _id).sort((a, b) => a - b);
  const scans = {
    _id_: stored,
    key: stored,
    tags: stored,
    even: stored.filter(({ version }) => version >= 2),
  };
  for (const [name, belonging] of Object.entries(scans)) {
    expect([name, ids(await collection.find().hint(name).toArray())]).toEqual([name, ids(belonging)]);
    const { executionStats } = (await collection.find().hint(name).explain('executionStats')) as {
      executionStats: { totalKeysExamined: number };
    };
    // No entry too many either: entries of deleted documents or former values would be examined.
    const entries = name === 'tags' ? countTags(belonging) : belonging.length;
    expect([name, executionStats.totalKeysExamined]).toEqual([name, entries]);
  }
}
