import { BSONRegExp } from 'bson';
import { MongoError } from '../errors';

/** A PCRE pattern with MongoDB's options as a JavaScript expression. */
export function compileRegex(pattern: string, options: string): RegExp {
  const bad = [...options].find((option) => !'imsxu'.includes(option));
  if (bad) throw new MongoError(51108, `invalid flag in regex options: ${bad}`);
  const inline = /^\(\?([imsx]+)\)/.exec(pattern);
  const flags = new Set([...options, ...(inline?.[1] ?? '')]);
  let source = inline ? pattern.slice(inline[0].length) : pattern;
  if (flags.delete('x')) source = withoutComments(source);
  flags.delete('u');
  try {
    return new RegExp(source, [...flags].join(''));
  } catch (error) {
    throw new MongoError(51091, `Regular expression is invalid: ${error instanceof Error ? error.message : 'unknown'}`);
  }
}

export function toRegExp(value: RegExp | BSONRegExp): RegExp {
  if (value instanceof BSONRegExp) return compileRegex(value.pattern, value.options);
  return value.global || value.sticky ? new RegExp(value.source, value.flags.replace(/[gy]/g, '')) : value;
}

export const isRegex = (value: unknown): value is RegExp | BSONRegExp =>
  value instanceof RegExp || value instanceof BSONRegExp;

/** Extended syntax: white space and `#` comments outside a class do not count. */
function withoutComments(source: string): string {
  let result = '';
  let inClass = false;
  for (let i = 0; i < source.length; i++) {
    const char = source[i] as string;
    if (char === '\\') {
      result += char + (source[++i] ?? '');
    } else if (inClass || !/[\s#]/.test(char)) {
      if (char === '[') inClass = true;
      if (char === ']') inClass = false;
      result += char;
    } else if (char === '#') {
      while (i < source.length && source[i] !== '\n') i++;
    }
  }
  return result;
}
