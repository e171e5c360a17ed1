import { join } from 'node:path';
import { ensureEmbeddedMongo } from '@reins/embedded-mongo';
import { MongoClient } from 'mongodb';

/** The database server that the measured controller and its floor share. */
export interface Database {
  uri: string;
  client: MongoClient;
  /** Name of the controller's own database. */
  name: string;
  drop(name: string): Promise<void>;
  close(): Promise<void>;
}

export const EMBEDDED_ENTRY = join(__dirname, '../../../dist/libs/embedded-mongo/main.js');

/** What the controller is given: a database of its own on the server of MONGODB_URI, else nothing, so that it embeds. */
export function controllerDatabase(): { env: Record<string, string>; name: string } {
  const given = process.env['MONGODB_URI'];
  if (given === undefined || given === '') return { env: {}, name: 'reins' };
  const name = `reins_bench_${process.pid}`;
  const uri = given.replace(/^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/, `$1/${name}$2`);
  return { env: { MONGODB_URI: uri }, name };
}

/** Connects to the database server of a running controller: `uri`, that of MONGODB_URI, or the one of its data folder. */
export async function openDatabase(dataDir: string, uri = process.env['MONGODB_URI']): Promise<Database> {
  const { name } = controllerDatabase();
  const embedded =
    uri === undefined || uri === ''
      ? await ensureEmbeddedMongo({ dir: join(dataDir, 'database'), entry: EMBEDDED_ENTRY })
      : undefined;
  const address = embedded?.uri ?? uri ?? '';
  const client = await new MongoClient(address).connect();
  return {
    uri: address,
    client,
    name,
    drop: async (other) => void (await client.db(other).dropDatabase()),
    close: async () => {
      await client.db(name).dropDatabase();
      await client.close();
      await embedded?.close();
    },
  };
}
