import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { type EmbeddedMongoServer, startEmbeddedMongo } from './server';
import { collectionCases, indexCases, strictCases } from '../../../test/scenario/embedded-mongo/cases/admin.cases';
import { aggregateCases } from '../../../test/scenario/embedded-mongo/cases/aggregate.cases';
import { type Case, runCase } from '../../../test/scenario/embedded-mongo/cases/cases';
import { cursorCases, filterCases, projectionCases } from '../../../test/scenario/embedded-mongo/cases/read.cases';
import { numberCases, updateCases, writeCases } from '../../../test/scenario/embedded-mongo/cases/write.cases';

let dir: string;
let server: EmbeddedMongoServer;
let client: MongoClient;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'embedded-mongo-'));
  server = await startEmbeddedMongo({ dir, socketPath: join(dir, 'mongo.sock') });
  client = await MongoClient.connect(server.uri);
});

afterAll(async () => {
  await client.close();
  await server.close();
  rmSync(dir, { recursive: true });
});

const tables: [string, Case[]][] = [
  ['filters', filterCases],
  ['cursors', cursorCases],
  ['projections', projectionCases],
  ['updates', updateCases],
  ['number types', numberCases],
  ['writes', writeCases],
  ['aggregation', aggregateCases],
  ['indexes', indexCases],
  ['collections', collectionCases],
  ['strictness', strictCases],
];

describe.each(tables)('%s', (_, cases) => {
  test.each(cases.map((one) => [one.name, one] as const))('%s', async (__, one) => {
    const { result, after } = await runCase(client.db('cases'), one);
    expect(result).toEqual(one.result);
    if (one.after) expect(after).toEqual(one.after);
  });
});
