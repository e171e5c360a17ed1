import { serialize } from 'bson';
import { assertSize, decodeCommand } from '../bson/raw';
import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { Pacer } from '../cursor/pump';
import { badValue, MongoError } from '../errors';
import { aggregate } from './aggregate';
import { collMod, collStats, create, dbStats, drop, dropDatabase, listCollections, listDatabases } from './collections';
import { checkOptions, type Command, type Engine } from './command';
import { distinct } from './distinct';
import { count, find, getMore, killCursors } from './documents';
import { explain } from './explain';
import { findAndModify } from './find-and-modify';
import { createIndexes, dropIndexes, listIndexes } from './indexes';
import { serverCommands } from './server-info';
import { insert, remove, update } from './writes';

const COMMANDS = new Map<string, Command>(
  Object.entries({
    ...serverCommands,
    aggregate,
    collMod,
    collStats,
    collstats: collStats,
    count,
    create,
    createIndexes,
    dbStats,
    dbstats: dbStats,
    delete: remove,
    distinct,
    drop,
    dropDatabase,
    dropIndexes,
    explain,
    find,
    findAndModify,
    findandmodify: findAndModify,
    getMore,
    insert,
    killCursors,
    listCollections,
    listDatabases,
    listIndexes,
    update,
  }),
);

/** Runs one command and answers its reply as BSON. Errors of the command are part of the reply; anything else throws. */
export async function runCommand(
  engine: Engine,
  connectionId: number,
  raw: Buffer,
  sequences: ReadonlyMap<string, Buffer[]>,
  database?: string,
): Promise<Buffer> {
  const name = commandName(raw);
  const command = COMMANDS.get(name);
  if (!command) throw new MongoError(59, `no such command: '${name}'`);
  const body = decodeCommand(raw, command.rawFields);
  const rawDocuments = new Map(sequences);
  for (const field of command.rawFields ?? []) takeRaw(body, field, rawDocuments);
  for (const [field, documents] of sequences) {
    if (!command.rawFields?.includes(field)) body[field] = documents.map((document) => decodeCommand(document));
  }
  const options = checkOptions(name, command, body, rawDocuments);
  const writeConcern = checkWriteConcern(body.writeConcern);
  const reply = await command.run({
    engine,
    connectionId,
    database: databaseOf(body, database),
    options,
    rawDocuments,
    pacer: new Pacer(
      typeof options.maxTimeMS === 'number'
        ? options.maxTimeMS
        : isNumeric(body.maxTimeMS)
          ? toNumber(body.maxTimeMS)
          : 0,
    ),
  });
  if (writeConcern.journal) await engine.store.flush();
  if (Buffer.isBuffer(reply)) return reply;
  const bytes = Buffer.from(serialize({ ...reply, ok: 1 }, { ignoreUndefined: true }));
  assertSize(bytes.length);
  return bytes;
}

export function errorReply(error: MongoError): Buffer {
  const { message, code, codeName, extra } = error;
  return Buffer.from(serialize({ ok: 0, errmsg: message, code, codeName, ...extra }));
}

/** The first field of the body names the command. */
export function commandName(raw: Buffer): string {
  return raw.toString('utf8', 5, Math.max(5, raw.indexOf(0, 5)));
}

function takeRaw(body: Document, field: string, rawDocuments: Map<string, Buffer[]>): void {
  const inBody = body[field];
  delete body[field];
  if (inBody === undefined) return;
  if (!Array.isArray(inBody) || !inBody.every((item) => item instanceof Uint8Array)) {
    throw new MongoError(14, `BSON field '${field}' is the wrong type, expected type 'array' of documents`);
  }
  rawDocuments.set(
    field,
    inBody.map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  );
}

function databaseOf(body: Document, fallback: string | undefined): string {
  const name = body.$db ?? fallback;
  if (typeof name !== 'string' || name === '') throw new MongoError(40571, 'OP_MSG requests require a $db argument');
  return name;
}

function checkWriteConcern(concern: unknown): { journal: boolean } {
  if (concern === undefined) return { journal: false };
  if (!isDocument(concern))
    throw new MongoError(14, "BSON field 'writeConcern' is the wrong type, expected type 'object'");
  if (isNumeric(concern.w) && toNumber(concern.w) > 1)
    throw badValue("cannot use 'w' > 1 when a host is not replicated");
  const unknown = Object.keys(concern).find((field) => !['w', 'j', 'fsync', 'wtimeout', 'provenance'].includes(field));
  if (unknown) throw new MongoError(9, `unrecognized write concern field: ${unknown}`);
  return { journal: concern.j === true || concern.fsync === true };
}
