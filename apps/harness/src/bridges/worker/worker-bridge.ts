import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  type Bridge,
  type BridgeConfigs,
  type BridgeEvents,
  type BridgeName,
  BridgeRefused,
  type Place,
} from '../bridge.port';
import { BRIDGE_ARGUMENT, type Fault, type FromBridge, type ToBridge } from './messages';

const HEAP_MEGABYTES = 256;
const STOP_MS = 3_000;
/** A platform that is asked to wait may keep a message this long. */
const CALL_MS = 120_000;

interface Call {
  resolve: () => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/**
 * A bridge in a thread of its own. The libraries of the platforms throw where nobody can catch it, now and then, and take
 * a second to load; there, that ends or delays the bridge and nothing of the harness, and what is stopped is really gone.
 */
export class WorkerBridge<N extends BridgeName> implements Bridge {
  private worker: Worker | undefined;
  private ended: Promise<void> = Promise.resolve();
  private readonly calls = new Map<number, Call>();
  private lastCall = 0;

  constructor(
    private readonly name: N,
    private readonly config: BridgeConfigs[N],
  ) {}

  start(events: BridgeEvents): Promise<void> {
    const { name, config } = this;
    const { file, execArgv } = workerEntry();
    const worker = new Worker(file, {
      argv: [BRIDGE_ARGUMENT],
      execArgv,
      workerData: { name, config },
      // It has its settings; the harness's own secrets are none of its business.
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
    });
    this.worker = worker;
    for (const stream of [worker.stdout, worker.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => events.log('debug', text.trimEnd().slice(0, 2000)));
    }
    this.ended = new Promise((resolve) => worker.once('exit', () => resolve()));
    return new Promise((resolve, reject) => {
      const lost = (error: Error): void => {
        reject(error);
        events.onLost(error);
        this.endCalls(error);
      };
      worker.on('message', (message: FromBridge) => {
        switch (message.type) {
          case 'started':
            return resolve();
          case 'message':
            return events.onMessage(message.message);
          case 'waiting':
            return events.onWaiting(message.reason);
          case 'running':
            return events.onRunning();
          case 'log':
            return events.log(message.level, message.message);
          case 'lost':
            return lost(errorOf(message.fault));
          case 'done':
            return this.done(message.id, message.fault);
        }
      });
      worker.once('error', (error: unknown) => {
        lost(new Error(`the bridge failed in a way it does not handle: ${String(error)}`));
      });
      worker.once('exit', () => lost(new Error('the bridge has ended')));
    });
  }

  send(place: Place, text: string, replyTo?: string): Promise<void> {
    return this.call((id) => ({ type: 'send', id, place, text, ...(replyTo !== undefined && { replyTo }) }));
  }

  typing(place: Place): Promise<void> {
    return this.call((id) => ({ type: 'typing', id, place }));
  }

  async stop(): Promise<void> {
    const { worker } = this;
    if (worker === undefined) return;
    worker.postMessage({ type: 'stop' } satisfies ToBridge);
    const late = setTimeout(() => void worker.terminate(), STOP_MS);
    await this.ended;
    clearTimeout(late);
  }

  private call(message: (id: number) => ToBridge): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.worker === undefined) return reject(new Error('the bridge is not started'));
      const id = ++this.lastCall;
      const timer = setTimeout(() => this.done(id, { message: 'no answer in time', refused: false }), CALL_MS);
      this.calls.set(id, { resolve, reject, timer });
      this.worker.postMessage(message(id));
    });
  }

  private done(id: number, fault: Fault | undefined): void {
    const call = this.calls.get(id);
    if (call === undefined) return;
    this.calls.delete(id);
    clearTimeout(call.timer);
    if (fault === undefined) call.resolve();
    else call.reject(errorOf(fault));
  }

  private endCalls({ message }: Error): void {
    for (const id of [...this.calls.keys()]) this.done(id, { message, refused: false });
  }
}

function errorOf({ message, refused }: Fault): Error {
  return refused ? new BridgeRefused(message) : new Error(message);
}

/** The bundle again with a marker, or from source the thread's own file through tsx. */
function workerEntry(): { file: string; execArgv: string[] } {
  // This module may be in a chunk of its own beside the bundle.
  if (!__filename.endsWith('.ts')) return { file: join(__dirname, 'main.js'), execArgv: [] };
  const { resolve } = createRequire(__filename);
  // For what is required and for what is imported; a thread has to be told of the latter itself.
  const api = pathToFileURL(resolve('tsx/esm/api').replace(/\.cjs$/, '.mjs')).href;
  const hook = `data:text/javascript,import { register } from ${JSON.stringify(api)}; register();`;
  return { file: join(__dirname, 'worker-main.ts'), execArgv: ['--require', resolve('tsx/cjs'), '--import', hook] };
}
