import { type Long } from 'bson';
import { type Document, isDocument, isNumeric, toNumber, typeAlias } from '../bson/types';
import { type Cursors } from '../cursor/cursors';
import { type Pacer } from '../cursor/pump';
import { MongoError, notSupported, typeMismatch } from '../errors';
import { type Catalog } from '../storage/catalog';
import { type Store } from '../storage/store';

/** What every command works on. */
export interface Engine {
  store: Store;
  catalog: Catalog;
  cursors: Cursors;
  startedAt: number;
  connections: () => number;
}

export interface CommandContext {
  engine: Engine;
  database: string;
  connectionId: number;
  /** The command's options, checked: numbers and booleans are plain, documents and arrays typed. */
  options: Document;
  /** Documents that came as bytes, in the body or as a document sequence of the message. */
  rawDocuments: ReadonlyMap<string, Buffer[]>;
  pacer: Pacer;
}

type FieldType = 'object' | 'array' | 'number' | 'bool' | 'string' | 'any' | 'update' | 'hint' | 'long';

export interface Command {
  /** Fields it takes beside the generic ones; `!` marks a required one. The command's own name is among them. */
  fields: Readonly<Record<string, FieldType | `${FieldType}!`>>;
  /** Passes over fields it does not know: the handshake of a newer driver may carry more. */
  lenient?: boolean;
  /** Array fields whose documents are left as bytes. */
  rawFields?: readonly string[];
  /** Answers a document, to which `ok: 1` is added, or a complete reply as bytes. */
  run: (context: CommandContext) => Promise<Document | Buffer> | Document | Buffer;
}

/** Arguments any command may carry. Some are meaningless on a standalone server and are passed over as MongoDB does. */
const GENERIC_FIELDS = new Set([
  '$db',
  '$readPreference',
  '$clusterTime',
  '$client',
  '$audit',
  'lsid',
  'comment',
  'maxTimeMS',
  'maxTimeMSOpOnly',
  'readConcern',
  'writeConcern',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
  'txnNumber',
  'autocommit',
  'startTransaction',
  'stmtId',
  'stmtIds',
]);

/** Checks the options of a command against its table and brings scalars into plain form. */
export function checkOptions(
  name: string,
  command: Command,
  body: Document,
  raw: ReadonlyMap<string, Buffer[]>,
): Document {
  if (body.txnNumber !== undefined || body.startTransaction !== undefined) {
    throw new MongoError(20, 'Transaction numbers are only allowed on a replica set member or mongos');
  }
  const options: Document = {};
  for (const [field, value] of Object.entries(body)) {
    const type = command.fields[field];
    if (type) options[field] = checkField(`${name}.${field}`, baseType(type), value);
    else if (GENERIC_FIELDS.has(field)) options[field] = value;
    else if (!command.lenient) throw new MongoError(40415, `BSON field '${name}.${field}' is an unknown field.`);
  }
  for (const [field, type] of Object.entries(command.fields)) {
    if (type.endsWith('!') && options[field] === undefined && !raw.has(field)) {
      throw new MongoError(40414, `BSON field '${name}.${field}' is missing but a required field`);
    }
  }
  const { collation } = options;
  if (isDocument(collation) && Object.keys(collation).length > 0 && collation.locale !== 'simple')
    throw notSupported('collation');
  return options;
}

/** Checks one statement of a write batch (`updates`, `deletes`) the same way. */
export function checkStatement(name: string, fields: Command['fields'], statement: Document): Document {
  return checkOptions(name, { fields, run: () => ({}) }, statement, new Map());
}

const baseType = (type: string): FieldType => type.replace('!', '') as FieldType;

const EXPECTED: Readonly<Record<FieldType, string>> = {
  object: "'object'",
  array: "'array'",
  number: "'[long, int, decimal, double]'",
  long: "'long'",
  bool: "'[bool, long, int, decimal, double]'",
  string: "'string'",
  update: "'[object, array]'",
  hint: "'[string, object]'",
  any: 'any',
};

function checkField(path: string, type: FieldType, value: unknown): unknown {
  if (type === 'any') return value;
  // A null means the option was not given, as with MongoDB's optional fields.
  if (value === null || value === undefined) return undefined;
  if (type === 'number' && isNumeric(value)) return toNumber(value);
  if (type === 'bool' && typeof value === 'boolean') return value;
  if (type === 'bool' && isNumeric(value)) return toNumber(value) !== 0;
  if (type === 'string' && typeof value === 'string') return value;
  if (type === 'object' && isDocument(value)) return value;
  if (type === 'array' && Array.isArray(value)) return value;
  if (type === 'update' && (isDocument(value) || Array.isArray(value))) return value;
  if (type === 'hint' && (isDocument(value) || typeof value === 'string')) return value;
  if (type === 'long' && isNumeric(value)) return value;
  throw typeMismatch(`BSON field '${path}' is the wrong type '${typeAlias(value)}', expected type ${EXPECTED[type]}`);
}

export function namespaceOf(context: CommandContext, field: string): string {
  const name = context.options[field];
  if (typeof name !== 'string') throw new MongoError(73, `collection name has invalid type ${typeAlias(name)}`);
  if (name === '') throw new MongoError(73, `Invalid namespace specified '${context.database}.'`);
  return `${context.database}.${name}`;
}

export const documentOption = (options: Document, field: string): Document =>
  (options[field] as Document | undefined) ?? {};
export const numberOption = (options: Document, field: string): number | undefined =>
  options[field] as number | undefined;
export const longOption = (options: Document, field: string): Long => options[field] as Long;
