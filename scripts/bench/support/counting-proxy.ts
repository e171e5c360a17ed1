import { createConnection, createServer, type Socket } from 'node:net';

export interface CountingProxy {
  uri: string;
  /** Commands sent to the database so far. */
  commands(): number;
  close(): Promise<void>;
}

const HEADER_BYTES = 16;

/** Passes the MongoDB protocol through between Unix sockets and counts the client's messages, each one command. */
export async function countingProxy(path: string, target: string): Promise<CountingProxy> {
  let commands = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(target);
    const count = messageCounter(() => commands++);
    client.on('data', count);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    uri: `mongodb://${encodeURIComponent(path)}/reins`,
    commands: () => commands,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Follows the length that begins each message through chunks that are cut anywhere. */
export function messageCounter(onMessage: () => void): (chunk: Buffer) => void {
  let header = Buffer.alloc(0);
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const skipped = Math.min(left, chunk.length - at);
        left -= skipped;
        at += skipped;
        continue;
      }
      const wanted = HEADER_BYTES - header.length;
      header = Buffer.concat([header, chunk.subarray(at, at + wanted)]);
      at += wanted;
      if (header.length < HEADER_BYTES) return;
      onMessage();
      left = header.readInt32LE(0) - HEADER_BYTES;
      header = Buffer.alloc(0);
    }
  };
}
