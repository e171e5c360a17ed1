import { loadDriver, SUPPORTED_TYPES } from '../drivers/registry';
import { parseConnectAnswer } from './connect-answer';
import { describeError, type Logger } from '../log/logger';

const CONNECT_TIMEOUT_MS = 5_000;
/** The first time costs the most; what comes after it is already quick. */
const TIMES = 3;

/**
 * What a harness for one session does when it has to, this one has time to do ahead: everything is loaded and has run
 * once. It says nothing to the controller, and nothing comes of it.
 */
export async function rehearse(baseUrl: string, log: Logger): Promise<void> {
  try {
    const [io] = await Promise.all([
      import('socket.io-client'),
      ...SUPPORTED_TYPES.map((type) => loadDriver(type)),
      import('../workspace/bootstrap'),
    ]);
    for (let i = 0; i < TIMES; i++) {
      readAnswer();
      await openOnce(io, baseUrl);
    }
  } catch (error) {
    log.debug('not everything could be done ahead', { reason: describeError(error) });
  }
}

/** An answer like that to a connect, of nobody. */
function readAnswer(): void {
  const answer = { token: 'none', expiresIn: 60, configVersion: '', agentId: '0'.repeat(24), settings: {} };
  try {
    parseConnectAnswer(Buffer.from(JSON.stringify(answer)));
  } catch {
    // What is missing in it costs no more to find than what is there.
  }
}

/** A connection that joins nothing and is closed at once. */
function openOnce(io: typeof import('socket.io-client'), baseUrl: string): Promise<void> {
  const { origin, pathname } = new URL(baseUrl);
  const manager = new io.Manager(origin, {
    transports: ['websocket'],
    path: `${pathname.replace(/\/+$/, '')}/socket.io`,
    reconnection: false,
    autoConnect: false,
    timeout: CONNECT_TIMEOUT_MS,
  });
  return new Promise((resolve, reject) => {
    manager.open((error) => {
      manager.engine.close();
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
