import { Session } from 'node:inspector';
import { Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { LineSplitter } from '../lines';
import {
  CONTROL_FD,
  type DriverMessage,
  type LimitReason,
  type RunRequest,
  type ToMain,
  type ToWatchdog,
} from './messages';

const POLL_MS = 20;
const TERMINATE_AFTER_MS = 100;
const KILL_AFTER_MS = 1_500;

/**
 * The worker thread of the child. It hears the driver even while the main thread is busy, measures, and stops code that
 * passed a limit: first by telling the main thread, then through V8, and where even that does not help by ending the process.
 */
export function runWatchdog(): void {
  const port = parentPort;
  if (port === null) throw new Error('the watchdog runs in a worker thread');
  const writing = new Int32Array(workerData as SharedArrayBuffer);
  const inspector = new Session();
  inspector.connectToMainThread();
  const control = new Socket({ fd: CONTROL_FD, readable: true, writable: true });
  let current: Watch | undefined;

  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  const tell = (message: ToMain): void => port.postMessage(message);

  function expire(reason: LimitReason): void {
    const watch = current;
    if (watch === undefined || watch.expired) return;
    watch.expired = true;
    clearTimeout(watch.timer);
    control.write(`${JSON.stringify({ type: 'limit', run: watch.run, reason })}\n`);
    if (reason === 'memory_limit') return void setTimeout(die, 10);
    tell({ type: 'expire', run: watch.run, reason });
    const stillThere = (then: () => void) => (): void => {
      if (current === watch) then();
    };
    const terminate = stillThere(() => {
      inspector.post('Runtime.terminateExecution');
      setTimeout(terminate, TERMINATE_AFTER_MS);
    });
    setTimeout(terminate, TERMINATE_AFTER_MS);
    setTimeout(stillThere(die), KILL_AFTER_MS);
  }

  function begin(request: RunRequest): void {
    const watch: Watch = { run: request.run, expired: false, timer: undefined };
    current = watch;
    const cpuBefore = process.cpuUsage();
    let wallMs = 0;
    let last = performance.now();
    const poll = (): void => {
      const now = performance.now();
      // Time in which the reader of the output makes the code wait is not the code's.
      if (Atomics.load(writing, 0) === 0) wallMs += now - last;
      last = now;
      const cpu = process.cpuUsage(cpuBefore);
      if ((cpu.user + cpu.system) / 1000 > request.cpuMs) return expire('cpu_limit');
      if (wallMs > request.wallMs) return expire('wall_limit');
      if (process.memoryUsage.rss() > request.residentBytes) return expire('memory_limit');
      watch.timer = setTimeout(poll, POLL_MS);
    };
    watch.timer = setTimeout(poll, POLL_MS);
    tell({ type: 'run', run: request.run, source: request.source });
  }

  port.on('message', ({ run }: ToWatchdog) => {
    if (current?.run !== run) return;
    clearTimeout(current.timer);
    current = undefined;
  });
  const splitter = new LineSplitter();
  control.on('data', (chunk: Buffer) => {
    for (const line of splitter.push(chunk)) {
      const message = JSON.parse(line) as DriverMessage;
      if (message.type === 'run') begin(message);
      else if (message.run === current?.run) expire('aborted');
    }
  });
  // The harness is gone: nobody is left to run anything for.
  control.on('close', die);
  control.on('error', die);
}

interface Watch {
  run: number;
  expired: boolean;
  timer: NodeJS.Timeout | undefined;
}
