import { type Runtime, type Session } from 'node:inspector';
import { Script } from 'node:vm';
import { renameImports } from './dynamic-import';

export type Evaluation = { value: unknown } | { error: unknown };

const RECEIVER = Symbol.for('reins.javascript.receive');
const GROUP = 'prompt';

/**
 * Evaluates source in the global scope with V8's REPL rules: `let`, `const` and `class` may be declared again, and await
 * works at the top level. Plain `eval` and `vm` have neither.
 */
export class Evaluator {
  private received: unknown;

  constructor(private readonly session: Session) {
    const receive = (value: unknown): void => void (this.received = value);
    Object.defineProperty(globalThis, RECEIVER, { value: receive });
  }

  /** Never settles when the evaluation is terminated: whoever terminated it knows why. */
  evaluate(source: string): Promise<Evaluation> {
    const expression = renameImports(asExpression(source));
    const options = { replMode: true, awaitPromise: true, objectGroup: GROUP, userGesture: false };
    return new Promise((resolve) => {
      this.session.post('Runtime.evaluate', { expression, ...options }, (failure, outcome) => {
        if (failure !== null) return;
        const { exceptionDetails } = outcome;
        const remote = exceptionDetails?.exception ?? outcome.result;
        this.local(remote, (value) => {
          this.session.post('Runtime.releaseObjectGroup', { objectGroup: GROUP });
          resolve(exceptionDetails === undefined ? { value } : { error: value });
        });
      });
    });
  }

  /** The value itself instead of the inspector's description of it. */
  private local(remote: Runtime.RemoteObject, use: (value: unknown) => void): void {
    const { objectId, unserializableValue } = remote;
    const plain: unknown = remote.value;
    if (objectId === undefined) return use(unserializableValue === undefined ? plain : special(unserializableValue));
    const functionDeclaration = `function (value) { globalThis[Symbol.for('${String(RECEIVER.description)}')](value); }`;
    this.session.post('Runtime.callFunctionOn', { functionDeclaration, objectId, arguments: [{ objectId }] }, () => {
      const received = this.received;
      this.received = undefined;
      use(received);
    });
  }
}

/** `{a: 1}` alone is meant as an object, though to the language it is a block. */
function asExpression(source: string): string {
  if (!/^\s*\{[\s\S]*\}\s*$/.test(source)) return source;
  try {
    new Script(`(${source}\n)`);
    return `(${source}\n)`;
  } catch {
    return source;
  }
}

function special(text: string): unknown {
  return text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text);
}
