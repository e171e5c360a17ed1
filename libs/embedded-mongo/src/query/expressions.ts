import { BSONRegExp, Double, Int32, Long, Timestamp } from 'bson';
import { Context, evalExpr, ProcessingMode } from 'mingo/core';
import { type Iterator } from 'mingo/lazy';
import { type Options } from 'mingo/types';
import * as accumulatorOperators from 'mingo/operators/accumulator';
import * as expressionOperators from 'mingo/operators/expression';
import * as pipelineOperators from 'mingo/operators/pipeline';
import * as projectionOperators from 'mingo/operators/projection';
import * as queryOperators from 'mingo/operators/query';
import * as windowOperators from 'mingo/operators/window';
import { MingoError } from 'mingo/util';
import { type Document, isDocument, isNumeric, toNumber } from '../bson/types';
import { badValue, MongoError, notSupported } from '../errors';
import { toRegExp } from './regex';

/** Every operator of mingo, for expressions and pipeline stages. What deviates from MongoDB is overridden in `overrides.ts`. */
export const mingoContext = Context.init({
  accumulator: { ...accumulatorOperators },
  expression: { ...expressionOperators },
  pipeline: { ...pipelineOperators },
  projection: { ...projectionOperators },
  query: { ...queryOperators },
  window: { ...windowOperators },
});

/** mingo's own operator types are intersections of all its operators; these are what the engine really passes. */
export type PipelineOperator = (source: Iterator, expression: unknown, options: Options) => Iterator;
export type ExpressionOperator = (document: Document, expression: unknown, options: Options) => unknown;
export type AccumulatorOperator = (documents: Document[], expression: unknown, options: Options) => unknown;

/** A context of operators of this module's types. */
export function contextOf(operators: {
  pipeline?: Record<string, PipelineOperator>;
  expression?: Record<string, ExpressionOperator>;
  accumulator?: Record<string, AccumulatorOperator>;
}): Context {
  return Context.init(operators);
}

export const pipelineNames: ReadonlySet<string> = new Set(Object.keys(pipelineOperators));
export const expressionNames: ReadonlySet<string> = new Set([
  ...Object.keys(expressionOperators),
  ...Object.keys(accumulatorOperators),
  ...Object.keys(windowOperators),
  ...Object.keys(projectionOperators),
]);

export const mingoOptions = (variables: Document, context = mingoContext): Options => ({
  idKey: '_id',
  processingMode: ProcessingMode.CLONE_OFF,
  useStrictMode: true,
  failOnError: true,
  scriptEnabled: false,
  context,
  variables,
});

/** Evaluates an aggregation expression against a promoted document. */
export function evaluate(expression: unknown, document: Document, variables: Document = {}): unknown {
  return translated(() => evalExpr(document, promote(expression) as Document, mingoOptions(variables)));
}

/** The test of `$expr`. */
export function evaluateFilter(expression: unknown, variables: Document): (document: unknown) => boolean {
  const promoted = promote(expression) as Document;
  const options = mingoOptions(variables);
  return (document) => {
    const result = translated(() => evalExpr(promote(document) as Document, promoted, options));
    return result !== false && result !== null && result !== undefined && result !== 0;
  };
}

/** mingo's complaints, with the codes MongoDB has for them. */
export function translated<T>(fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (!(error instanceof MingoError)) throw error;
    const unknown = /^accumulator '(\$\w+)' is not registered/.exec(error.message);
    if (unknown) throw new MongoError(168, `Unrecognized expression '${unknown[1]}'`);
    if (/scriptEnabled/.test(error.message)) throw notSupported('server-side JavaScript');
    throw badValue(error.message);
  }
}

/** A typed value with plain numbers and JavaScript's own regular expressions, as mingo wants it. */
export function promote(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(promote);
  if (value instanceof Int32 || value instanceof Double) return value.value;
  if (value instanceof Long && !(value instanceof Timestamp)) {
    const number = value.toNumber();
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value instanceof BSONRegExp) return toRegExp(value);
  if (!isDocument(value)) return value;
  const result: Document = {};
  for (const [name, field] of Object.entries(value)) define(result, name, promote(field));
  return result;
}

/** Assigns an own field even when it is called `__proto__`. */
export function define(target: Document, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
  } else {
    target[name] = value;
  }
}

/** Gives numbers that a computation left alone their stored type back. */
export function restoreTypes(value: unknown, typed: unknown): unknown {
  if (isNumeric(value) && isNumeric(typed)) return Object.is(toNumber(value), toNumber(typed)) ? typed : value;
  if (Array.isArray(value) && Array.isArray(typed)) return value.map((item, i) => restoreTypes(item, typed[i]));
  if (!isDocument(value) || !isDocument(typed)) return value;
  const result: Document = {};
  for (const [name, field] of Object.entries(value)) {
    define(result, name, restoreTypes(field, Object.hasOwn(typed, name) ? typed[name] : undefined));
  }
  return result;
}
