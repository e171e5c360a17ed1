import { type Channel, channel } from 'node:diagnostics_channel';
import { type Socket } from 'node:net';

/** Kept on the channel, of which a process has one, however often this module is loaded. */
const GUARDED = Symbol.for('reins.closed-sockets');

/**
 * Wakes whoever waits to go on writing to a connection that has closed.
 *
 * The MongoDB driver (7.8) waits for `drain` after a write that returned false. A write to a socket that was destroyed an
 * instant before returns false too, without an error, and its `drain` never comes: the operation would wait for ever,
 * whatever time-outs are set. Woken, the driver looks at the connection, finds it closed and fails as it should. Seen
 * when the database is killed under load; a test kills it.
 */
export function wakeWritersOfClosedSockets(): void {
  const sockets: Channel & { [GUARDED]?: true } = channel('net.client.socket');
  if (sockets[GUARDED] === true) return;
  sockets[GUARDED] = true;
  sockets.subscribe((message) => {
    const { socket } = message as { socket: Socket };
    socket.once('close', () => {
      if (socket.listenerCount('drain') > 0) socket.emit('drain');
    });
  });
}
