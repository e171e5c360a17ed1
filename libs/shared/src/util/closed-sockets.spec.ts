import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { wakeWritersOfClosedSockets } from './closed-sockets';

describe('wakeWritersOfClosedSockets', () => {
  it('a writer that met a destroyed socket is woken instead of waiting for ever', async () => {
    wakeWritersOfClosedSockets();
    const server = createServer((socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    expect(socket.write('too late')).toBe(false);
    await once(socket, 'drain');
    server.close();
  });
});
