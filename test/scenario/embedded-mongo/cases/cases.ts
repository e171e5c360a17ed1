import { type Collection, type Db, type Document, MongoBulkWriteError, MongoServerError } from 'mongodb';

export type Row = Record<string, unknown>;

/** The driver wants to know the type of the id; the cases mostly use numbers. */
export interface Stored extends Document {
  _id: number;
}

/** One promise of the wire protocol: what is stored first, what is done, what comes back and what is stored after. */
export interface Case {
  name: string;
  documents?: Row[];
  run: (collection: Collection<Stored>, db: Db) => Promise<unknown>;
  /** What `run` resolves with; `{ error: code }` when it must fail. */
  result: unknown;
  /** The collection afterwards, in natural order. Left out when it is not the point. */
  after?: Row[];
}

/** Runs a case against a fresh collection of any server, and answers what the case should be compared with. */
export async function runCase(db: Db, one: Case): Promise<{ result: unknown; after: Row[] }> {
  const collection = db.collection<Stored>(`c${Math.random().toString(36).slice(2)}`);
  if (one.documents && one.documents.length > 0)
    await collection.insertMany(one.documents.map((document) => ({ ...document }) as Stored));
  const result = await one.run(collection, db).catch(errorOf);
  const after = await collection.find().toArray();
  return { result, after };
}

function errorOf(error: unknown): unknown {
  if (error instanceof MongoBulkWriteError || error instanceof MongoServerError) return { error: error.code };
  throw error;
}

/** The parts of a write's result a caller looks at, without the driver's own additions. */
export function counts(result: object): Row {
  const { matchedCount, modifiedCount, upsertedCount, deletedCount, insertedCount } = result as Row;
  return Object.fromEntries(
    Object.entries({ matchedCount, modifiedCount, upsertedCount, deletedCount, insertedCount }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}
