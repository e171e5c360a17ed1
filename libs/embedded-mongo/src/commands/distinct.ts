import { compareValues } from '../bson/compare';
import { decodeTyped } from '../bson/raw';
import { pump } from '../cursor/pump';
import { encodeValue } from '../index/key-encoding';
import { compileFilter } from '../query/matcher';
import { visitPath } from '../query/path';
import { Query } from '../query/query';
import { type Command, documentOption, namespaceOf } from './command';
import { querySpec } from './documents';

/** The distinct values of a field, array elements counted one by one, sorted. */
export const distinct: Command = {
  fields: { distinct: 'any!', key: 'string!', query: 'object', collation: 'object', hint: 'hint', maxTimeMS: 'number' },
  async run(context) {
    const { engine, options, pacer } = context;
    const namespace = namespaceOf(context, 'distinct');
    const spec = querySpec({ hint: options.hint }, documentOption(options, 'query'));
    compileFilter(spec.filter);
    const collection = engine.catalog.get(namespace);
    if (!collection) return { values: [] };
    const parts = (options.key as string).split('.');
    const values = new Map<string, unknown>();
    const add = (value: unknown): void => {
      const fingerprint = encodeValue(value).toString('latin1');
      if (value !== undefined && !values.has(fingerprint)) values.set(fingerprint, value);
    };
    await pump(
      new Query(collection, spec).run(),
      ({ raw }) => {
        visitPath(decodeTyped(raw), parts, (value) => {
          if (Array.isArray(value)) value.forEach(add);
          else add(value);
          return false;
        });
      },
      pacer,
    );
    return { values: [...values.values()].sort(compareValues) };
  },
};
