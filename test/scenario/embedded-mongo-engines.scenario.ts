import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { collectionCases, indexCases } from './embedded-mongo/cases/admin.cases';
import { aggregateCases } from './embedded-mongo/cases/aggregate.cases';
import { runCase } from './embedded-mongo/cases/cases';
import { cursorCases, filterCases, projectionCases } from './embedded-mongo/cases/read.cases';
import { numberCases, updateCases, writeCases } from './embedded-mongo/cases/write.cases';

const START = join(__dirname, '../../scripts/mongo-java/start');
const missing = ['java', 'mvn'].filter((tool) => spawnSync(tool, ['-version']).error !== undefined);

/** Cases in which the other engine, not this one, departs from MongoDB, and how. */
const OTHER_ENGINE_DIFFERS: Readonly<Record<string, string>> = {
  'find $gte null is null or missing': 'it answers nothing to a range that ends in null',
  'find a range met by two elements': 'it wants one array element to meet both ends',
  'find $bitsAllSet': 'it has no bitwise query operators',
  'find refuses an $in that is no array': 'its error has no code',
  'project a slice from the end keeps the rest': 'it takes $slice for an inclusion',
  'project the matched position': 'it answers the first element, not the matched one',
  'project an expression': 'it knows no expressions in a find projection',
  'project a mix is refused': 'it gives the code of the opposite mix',
  'update $bit': 'it has no $bit',
  'update by a pipeline': 'it has no updates by pipeline',
  'update refuses an identifier without a filter': 'it gives another code',
  'insertOne makes an id that comes first': 'it leaves the id where the driver put it, at the end',
  'bulkWrite mixes operations': 'it fills the gap of a deleted document, so its natural order differs',
  'aggregate refuses a limit of nothing': 'it accepts it',
  'index: another key under a taken name': 'it replaces the index silently',
  'index: dropping the one on _id': 'it allows it',
  'index: unique refuses a duplicate and names it': 'its error does not carry the key',
  'index: partial unique binds only what it covers': 'it binds documents the partial filter leaves out',
  'index: parallel arrays are refused': 'it accepts them',
  'index: an unknown option': 'it ignores it',
  'index: an unknown hint': 'it ignores it',
  'collection: create, list, drop': 'it ignores the filter of listCollections',
};

const cases = [
  ...filterCases,
  ...cursorCases,
  ...projectionCases,
  ...updateCases,
  ...numberCases,
  ...writeCases,
  ...aggregateCases,
  ...indexCases,
  ...collectionCases,
];

if (missing.length > 0) {
  process.stderr.write(
    `SKIPPED: the comparison with an independent engine needs ${missing.join(' and ')}, which this machine lacks\n`,
  );
  test.skip('agrees with an independent engine', () => undefined);
} else {
  describe('an independent engine gives the same answer', () => {
    let engine: ChildProcess;
    let client: MongoClient;

    beforeAll(async () => {
      engine = spawn(START, [], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(engine.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      client = await MongoClient.connect(line.toString().trim());
    }, 600_000);

    afterAll(async () => {
      await client.close();
      engine.kill('SIGTERM');
      await once(engine, 'exit');
    });

    const titled = cases.map((one) => {
      const reason = OTHER_ENGINE_DIFFERS[one.name];
      return [reason ? `${one.name} (differs: ${reason})` : one.name, one] as const;
    });
    test.each(titled)('%s', async (_, one) => {
      const { result, after } = await runCase(client.db('cases'), one);
      const outcome = { result, after: one.after ? after : undefined };
      const expected = { result: one.result, after: one.after };
      // A listed difference that has gone must leave the list, so it is checked too.
      if (one.name in OTHER_ENGINE_DIFFERS) expect(outcome).not.toEqual(expected);
      else expect(outcome).toEqual(expected);
    });
  });
}
