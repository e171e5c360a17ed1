import { type Document } from '../bson/types';
import { MongoError } from '../errors';
import { compileFilter, type Test } from '../query/matcher';
import { isArrayIndex } from '../query/path';
import { decodeRecordId, encodeRecordId, identPrefix } from '../storage/keys';
import { describe } from '../bson/describe';
import { extractKeys } from './index-keys';
import { type IndexDefinition, type IndexSpec } from './index-spec';
import { encodeKey, isLongKey, shortenKey } from './key-encoding';

/** One stored entry: where it lives, and the values it was made of (for error messages). */
export interface IndexEntry {
  key: Buffer;
  values: readonly unknown[];
}

/** An index of one collection: turns documents into entries. Unique entries end with the values, others with the record id. */
export class CollectionIndex {
  readonly paths: readonly (readonly string[])[];
  readonly directions: readonly number[];
  readonly fields: readonly string[];
  readonly prefix: Buffer;
  private readonly partial: Test | undefined;

  constructor(readonly definition: IndexDefinition) {
    this.fields = Object.keys(definition.spec.key);
    this.paths = this.fields.map((field) => field.split('.'));
    this.directions = Object.values(definition.spec.key);
    this.prefix = identPrefix(definition.ident);
    const filter = definition.spec.partialFilterExpression;
    this.partial = filter && compileFilter(filter);
  }

  get spec(): IndexSpec {
    return this.definition.spec;
  }

  get name(): string {
    return this.spec.name;
  }

  get unique(): boolean {
    return this.spec.unique === true || this.name === '_id_';
  }

  /** A path with an array position means two things to a query and one to the index, so no plan uses it. */
  get servesQueries(): boolean {
    return !this.spec.hidden && !this.paths.some((path) => path.some(isArrayIndex));
  }

  /** The entries of a document; learns whether the index is multikey or has keys too long to order. */
  entries(document: Document, recordId: number, learned: () => void): IndexEntry[] {
    if (this.partial && !this.partial(document, { element: -1 })) return [];
    const { tuples, allMissing, multikey } = extractKeys(document, this.paths);
    if (this.spec.sparse && allMissing) return [];
    multikey.forEach((crossed, i) => {
      if (!crossed || this.definition.multikey[i]) return;
      this.definition.multikey[i] = true;
      learned();
    });
    const seen = new Set<string>();
    const entries: IndexEntry[] = [];
    for (const values of tuples) {
      const encoded = encodeKey(values, this.directions);
      if (isLongKey(encoded) && !this.definition.longKeys) {
        this.definition.longKeys = true;
        learned();
      }
      const key = this.key(encoded, recordId);
      const text = key.toString('latin1');
      if (seen.has(text)) continue;
      seen.add(text);
      entries.push({ key, values });
    }
    return entries;
  }

  recordId(value: Buffer): number {
    return decodeRecordId(value);
  }

  duplicate(namespace: string, values: readonly unknown[]): MongoError {
    const keyValue = Object.fromEntries(this.fields.map((field, i) => [field, values[i] ?? null]));
    const message = `E11000 duplicate key error collection: ${namespace} index: ${this.name} dup key: ${describe(keyValue)}`;
    return new MongoError(11000, message, { keyPattern: this.spec.key, keyValue });
  }

  private key(encoded: Buffer, recordId: number): Buffer {
    const parts = [this.prefix, shortenKey(encoded)];
    if (!this.unique) parts.push(encodeRecordId(recordId));
    return Buffer.concat(parts);
  }
}
