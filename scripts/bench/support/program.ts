import { type ChildProcess, spawn } from 'node:child_process';

export interface Program {
  pid: number;
  child: ChildProcess;
  /** What the pattern's first group (or the whole of it) matched. */
  match: string;
  /** SIGKILL; resolves when it is gone. */
  stop: () => Promise<void>;
}

const START_WITHIN_MS = 30_000;

/** Starts a program and waits until it prints what matches. Rejects with its output where it ends or is too slow. */
export async function startProgram(
  [command = '', ...args]: readonly string[],
  ready: RegExp,
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Program> {
  const env = options.env ?? chosenEnvironment();
  const child = spawn(command, args, { env, cwd: options.cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  try {
    const match = await new Promise<string>((resolve, reject) => {
      let output = '';
      const fail = (why: string): void =>
        reject(new Error(`${command} ${args.join(' ')} ${why}; it printed:\n${output}`));
      const timer = setTimeout(() => fail('was not ready in time'), START_WITHIN_MS);
      const onOutput = (chunk: Buffer): void => {
        output += chunk.toString();
        const found = ready.exec(output);
        if (found === null) return;
        clearTimeout(timer);
        resolve(found[1] ?? found[0]);
      };
      child.stdout.on('data', onOutput);
      child.stderr.on('data', onOutput);
      child.once('error', (error) => fail(`could not be started (${error.message})`));
      void gone.then(() => {
        clearTimeout(timer);
        fail('ended');
      });
    });
    return { pid: child.pid as number, child, match, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What a program needs to run; an extra CA bundle, for one, would cost every node its start. */
export function chosenEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
