import { Aggregator } from 'mingo/aggregator';
import { evalExpr } from 'mingo/core';
import { setValue } from 'mingo/util';
import { decode } from '../bson/raw';
import { type Document } from '../bson/types';
import { encodeValue } from '../index/key-encoding';
import { planQuery } from '../index/planner';
import { type Collection } from '../storage/collection';
import { type PipelineOperator } from './expressions';
import { visitPath } from './path';
import { Query } from './query';

export type CollectionResolver = (name: string) => Collection | undefined;

/** Every document of a collection, decoded. */
export function allDocuments(collection: Collection | undefined): Document[] {
  return collection ? [...collection.scan()].map(({ raw }) => decode(raw)) : [];
}

/** `$lookup` that asks the foreign collection's indexes; without one it reads the collection once and joins by hash. */
export function lookup(resolveCollection: CollectionResolver): PipelineOperator {
  return (source, expression, options) => {
    const spec = expression as Document;
    const collection = resolveCollection(spec.from as string);
    const candidates = joinOf(collection, spec);
    const pipeline = spec.pipeline as Document[] | undefined;
    return source.map((item: unknown) => {
      const document = item as Document;
      let joined = candidates(document);
      if (pipeline) {
        const variables = spec.let ? (evalExpr(document, spec.let, options) as Document) : {};
        joined = new Aggregator(pipeline, {
          ...optionsOf(options),
          variables: { ...options.variables, ...variables },
        }).run<Document>(joined);
      }
      const result = { ...document };
      setValue(result, spec.as as string, joined);
      return result;
    });
  };
}

function optionsOf(options: Parameters<PipelineOperator>[2]): Parameters<PipelineOperator>[2] {
  // A nested pipeline starts afresh: the outer document is reached through variables only.
  const { idKey, processingMode, useStrictMode, failOnError, scriptEnabled, context, collectionResolver } = options;
  return {
    idKey,
    processingMode,
    useStrictMode,
    failOnError,
    scriptEnabled,
    context,
    ...(collectionResolver ? { collectionResolver } : {}),
  };
}

function joinOf(collection: Collection | undefined, spec: Document): (document: Document) => Document[] {
  const { localField, foreignField } = spec as { localField?: string; foreignField?: string };
  if (!collection) return () => [];
  if (localField === undefined || foreignField === undefined) {
    const all = allDocuments(collection);
    return () => all.map((document) => ({ ...document }));
  }
  const parts = localField.split('.');
  const indexed = planQuery(collection.indexes, { [foreignField]: { $in: [1] } }).stage === 'IXSCAN';
  if (indexed) return (document) => queryJoin(collection, foreignField, localValues(document, parts));
  const byValue = hashByField(collection, foreignField.split('.'));
  return (document) => {
    const found = new Set<Document>();
    for (const value of localValues(document, parts))
      byValue.get(fingerprint(value))?.forEach((match) => found.add(match));
    return [...found];
  };
}

function queryJoin(collection: Collection, foreignField: string, values: unknown[]): Document[] {
  const filter = { [foreignField]: values.length === 1 ? { $eq: values[0] } : { $in: values } };
  const result: Document[] = [];
  for (const match of new Query(collection, { filter, sort: [], skip: 0, limit: 0 }).run())
    if (match) result.push(match.document);
  return result;
}

const fingerprint = (value: unknown): string => encodeValue(value ?? null).toString('latin1');

function hashByField(collection: Collection, parts: readonly string[]): Map<string, Document[]> {
  const byValue = new Map<string, Document[]>();
  for (const document of allDocuments(collection)) {
    for (const key of new Set(localValues(document, parts).map(fingerprint))) {
      const group = byValue.get(key);
      if (group) group.push(document);
      else byValue.set(key, [document]);
    }
  }
  return byValue;
}

/** The values that may match: array elements one by one, null for a missing field. */
function localValues(document: Document, parts: readonly string[]): unknown[] {
  const values: unknown[] = [];
  visitPath(document, parts, (value) => {
    if (Array.isArray(value)) values.push(...(value as unknown[]));
    else values.push(value ?? null);
    return false;
  });
  return values;
}
