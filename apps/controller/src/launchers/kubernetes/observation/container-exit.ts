import { type V1ContainerStatus } from '@kubernetes/client-node';

export interface ContainerExit {
  exitCode: number;
  signal: string | null;
  isOutOfMemory: boolean;
  message: string;
}

const SIGNALS: Record<number, string> = { 6: 'SIGABRT', 9: 'SIGKILL', 11: 'SIGSEGV', 15: 'SIGTERM' };
const MOST_SAID = 500;

/** How the container ended, with what it said last; undefined while it has not. */
export function exitOf(
  status: V1ContainerStatus | undefined,
  memoryLimit: string | undefined,
): ContainerExit | undefined {
  const terminated = status?.state?.terminated ?? undefined;
  if (terminated === undefined) return undefined;
  const { exitCode, reason, message } = terminated;
  const number = terminated.signal ?? (exitCode > 128 ? exitCode - 128 : undefined);
  const signal = number === undefined || number === 0 ? null : (SIGNALS[number] ?? `signal ${number}`);
  const isOutOfMemory = reason === 'OOMKilled';
  return { exitCode, signal, isOutOfMemory, message: describe() };

  function describe(): string {
    if (isOutOfMemory) return memoryLimit === undefined ? '' : `its limit is ${memoryLimit}`;
    const how = signal === null ? `it exited with code ${exitCode}` : `it was ended by ${signal}`;
    const said = lastLine(message);
    return said === undefined ? how : `${how}: ${said}`;
  }
}

/** The termination message is a sentence of the harness, or the end of its log. */
function lastLine(text: string | undefined): string | undefined {
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim().slice(0, MOST_SAID);
}
