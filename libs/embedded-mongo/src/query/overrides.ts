import { evalExpr } from 'mingo/core';
import { Lazy } from 'mingo/lazy';
import { $push } from 'mingo/operators/accumulator';
import { resolve, setValue } from 'mingo/util';
import { compareValues } from '../bson/compare';
import { type Document, isDocument } from '../bson/types';
import { encodeValue } from '../index/key-encoding';
import { type AccumulatorOperator, contextOf, type ExpressionOperator, type PipelineOperator } from './expressions';
import { compileFilter } from './matcher';
import { compareSortKeys, parseSort, sortKey } from './sort';

/*
 * Where mingo deviates from MongoDB, put right in this one place. mingo compares values of different types as if they
 * were unrelated, knows nothing of BSON's types when it compares, sorts or groups, and drops what is empty on $unwind.
 */

const $match: PipelineOperator = (source, filter, options) => {
  const test = compileFilter(filter as Document, { ...options.variables });
  return source.filter((document: unknown) => test(document, { element: -1 }));
};

const $sort: PipelineOperator = (source, keys) => {
  const sort = parseSort(keys as Document);
  return source.transform((documents) =>
    Lazy(
      (documents as Document[])
        .map((document) => ({ document, key: sortKey(document, sort) }))
        .sort((a, b) => compareSortKeys(a.key, b.key, sort))
        .map(({ document }) => document),
    ),
  );
};

const $group: PipelineOperator = (source, expression, options) => {
  const { _id: id, ...fields } = expression as Document;
  return source.transform((documents) => {
    const groups = new Map<string, { id: unknown; members: Document[] }>();
    for (const document of documents as Document[]) {
      const value = evalExpr(document, id, options) ?? null;
      const fingerprint = encodeValue(value).toString('latin1');
      const group = groups.get(fingerprint);
      if (group) group.members.push(document);
      else groups.set(fingerprint, { id: value, members: [document] });
    }
    return Lazy(
      [...groups.values()].map((group) => {
        const result: Document = { _id: group.id };
        for (const [field, accumulator] of Object.entries(fields)) {
          result[field] = evalExpr(group.members, accumulator, options);
        }
        return result;
      }),
    );
  });
};

const $unwind: PipelineOperator = (source, expression) => {
  const spec = (typeof expression === 'string' ? { path: expression } : expression) as Document;
  const path = (spec.path as string).slice(1);
  const keepEmpty = spec.preserveNullAndEmptyArrays === true;
  const indexField = spec.includeArrayIndex as string | undefined;
  const withElement = (document: Document, element: unknown, index: number | null): Document => {
    const copy = copyPath(document, path.split('.'));
    if (index !== null) setValue(copy, path, element);
    if (indexField !== undefined) setValue(copy, indexField, index);
    return copy;
  };
  return source.transform((documents) =>
    Lazy(
      (documents as Document[]).flatMap((document): Document[] => {
        const value: unknown = resolve(document, path);
        if (Array.isArray(value) && value.length > 0)
          return value.map((element, i) => withElement(document, element, i));
        const empty = value === null || value === undefined || Array.isArray(value);
        if (!empty) return [withElement(document, value, null)];
        if (!keepEmpty) return [];
        const kept = withElement(document, undefined, null);
        if (Array.isArray(value)) removeAt(kept, path.split('.'));
        return [kept];
      }),
    ),
  );
};

/** Copies only the documents along a path, so that results share what they do not change. */
function copyPath(document: Document, parts: readonly string[]): Document {
  const copy = { ...document };
  const [first, ...rest] = parts;
  if (first !== undefined && rest.length > 0 && isDocument(copy[first])) copy[first] = copyPath(copy[first], rest);
  return copy;
}

function removeAt(document: Document, parts: readonly string[]): void {
  const [first, ...rest] = parts;
  if (first === undefined) return;
  if (rest.length === 0) delete document[first];
  else if (isDocument(document[first])) removeAt(document[first], rest);
}

/** Comparison across types, missing before null. */
function comparison(holds: (order: number) => boolean): ExpressionOperator {
  return (document, operands, options) => {
    const [left, right] = evalExpr(document, operands, options) as [unknown, unknown];
    return holds(compareValues(left, right));
  };
}

const $cmp: ExpressionOperator = (document, operands, options) => {
  const [left, right] = evalExpr(document, operands, options) as [unknown, unknown];
  return Math.sign(compareValues(left, right));
};

const $addToSet: AccumulatorOperator = (documents, expression, options) => {
  const values = $push(documents, expression, options);
  return [...new Map(values.map((value) => [encodeValue(value).toString('latin1'), value])).values()];
};

const extreme =
  (sign: 1 | -1): AccumulatorOperator =>
  (documents, expression, options) => {
    const values = $push(documents, expression, options);
    const known = values.filter((value) => value !== null && value !== undefined);
    return known.length === 0
      ? null
      : known.reduce((best, value) => (compareValues(value, best) * sign > 0 ? value : best));
  };

export const overrides = contextOf({
  pipeline: { $match, $sort, $group, $unwind },
  expression: {
    $eq: comparison((order) => order === 0),
    $ne: comparison((order) => order !== 0),
    $gt: comparison((order) => order > 0),
    $gte: comparison((order) => order >= 0),
    $lt: comparison((order) => order < 0),
    $lte: comparison((order) => order <= 0),
    $cmp,
  },
  accumulator: { $addToSet, $max: extreme(1), $min: extreme(-1) },
});
