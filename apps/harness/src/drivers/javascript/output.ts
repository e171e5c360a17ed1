import { Console } from 'node:console';
import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { type ChildMessage, CONSOLE_LEVELS, type ConsoleLevel, cutText, EVENTS_FD, MAX_TEXT } from './messages';

const INSPECT = { depth: 6, maxArrayLength: 200, maxStringLength: MAX_TEXT, breakLength: 120 } as const;

/** Writes to the driver and waits until it has taken it, so that a fast printer neither fills memory nor loses a line. */
export function createSender(writing: Int32Array): (message: ChildMessage) => void {
  return (message) => {
    const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
    Atomics.store(writing, 0, 1);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(EVENTS_FD, bytes, at);
    } finally {
      Atomics.store(writing, 0, 0);
    }
  };
}

/** The console of the code: Node's own formatting, each line sent at once with its level. */
export function createConsole(send: (message: ChildMessage) => void): Console {
  let level: ConsoleLevel = 'log';
  const stream = (fallback: ConsoleLevel): Writable =>
    new Writable({
      decodeStrings: false,
      write(text: string, _encoding, done) {
        send({ type: 'console', level: level === 'log' ? fallback : level, text: cutText(text.replace(/\n$/, '')) });
        done();
      },
    });
  const console = new Console({
    stdout: stream('log'),
    stderr: stream('warn'),
    inspectOptions: INSPECT,
    colorMode: false,
  });
  for (const name of CONSOLE_LEVELS) {
    const print = console[name].bind(console);
    console[name] = (...values: unknown[]): void => {
      level = name;
      try {
        // Cut before they are formatted: each step of formatting would copy a huge text again.
        print(...values.map((value) => (typeof value === 'string' ? cutText(value) : value)));
      } finally {
        level = 'log';
      }
    };
  }
  return console;
}

/** A value as its type, as people read it, and as JSON where it is small and loses nothing by it. */
export function describeValue(value: unknown): Extract<ChildMessage, { type: 'value' }> {
  const valueType = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  if (value === undefined) return { type: 'value', text: '', valueType };
  const text = typeof value === 'string' ? value : inspectSafely(value);
  const json = toJson(value);
  return { type: 'value', text: cutText(text), valueType, ...(json !== undefined ? { json } : {}) };
}

/** Anything can be thrown; what has no name and message of its own is shown as it inspects. */
export function describeError(error: unknown): Extract<ChildMessage, { type: 'exception' }> {
  try {
    if (error instanceof Error || Object.prototype.toString.call(error) === '[object Error]') {
      const { name, message, stack } = error as Error;
      const shown = { name: cutText(String(name)), message: cutText(String(message)) };
      return {
        type: 'exception',
        ...shown,
        ...(typeof stack === 'string' ? { stack: cutText(ownFrames(stack)) } : {}),
      };
    }
  } catch {
    // A getter of the error threw; it is shown by inspection below.
  }
  return { type: 'exception', name: 'Error', message: cutText(inspectSafely(error)) };
}

/** The stack without the frames of this child, through which the code was called. */
function ownFrames(stack: string): string {
  const lines = stack.split('\n');
  const first = lines.findIndex((line) => line.includes('at Session.post (node:inspector'));
  return (first < 0 ? lines : lines.slice(0, first)).join('\n');
}

function inspectSafely(value: unknown): string {
  try {
    return inspect(value, INSPECT);
  } catch (error) {
    return `[cannot be inspected: ${error instanceof Error ? error.message : 'unknown reason'}]`;
  }
}

const MAX_JSON = 64 * 1024;

function toJson(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') return undefined;
  if (typeof value === 'string' && value.length > MAX_JSON) return undefined;
  try {
    const text: unknown = JSON.stringify(value);
    return typeof text === 'string' && text.length <= MAX_JSON ? JSON.parse(text) : undefined;
  } catch {
    // Circular, a BigInt inside, or a toJSON that throws: there is the text.
    return undefined;
  }
}
