import { parentPort, workerData } from 'node:worker_threads';
import { BridgeRefused } from '../bridge.port';
import { loadBridge } from '../load-bridge';
import { type BridgeWork, type Fault, type FromBridge, type ToBridge } from './messages';

/** The thread of one bridge. A fault that nobody catches ends this thread and is told to the harness, which lives on. */
async function main(): Promise<void> {
  const { name, config } = workerData as BridgeWork;
  const bridge = await loadBridge(name, config);
  parentPort?.on('message', (message: ToBridge) => {
    if (message.type === 'stop') return void bridge.stop().then(() => parentPort?.close());
    const { id, place } = message;
    const call = message.type === 'send' ? bridge.send(place, message.text, message.replyTo) : bridge.typing(place);
    call.then(
      () => tell({ type: 'done', id }),
      (error: unknown) => tell({ type: 'done', id, fault: faultOf(error) }),
    );
  });
  try {
    await bridge.start({
      onMessage: (message) => tell({ type: 'message', message }),
      onWaiting: (reason) => tell({ type: 'waiting', reason }),
      onRunning: () => tell({ type: 'running' }),
      onLost: (error) => tell({ type: 'lost', fault: faultOf(error) }),
      log: (level, message) => tell({ type: 'log', level, message }),
    });
    tell({ type: 'started' });
  } catch (error) {
    tell({ type: 'lost', fault: faultOf(error) });
  }
}

function tell(message: FromBridge): void {
  parentPort?.postMessage(message);
}

function faultOf(error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error);
  return { message, refused: error instanceof BridgeRefused };
}

void main();
