import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import { type Database } from './database';
import { startProgram } from './program';

export interface FloorServer {
  url: string;
  pid: number;
  /** Its database on the server. */
  name: string;
  connect(): Promise<Socket>;
  stop(): Promise<void>;
}

let used = 0;

/** Starts floor/server.ts in a process of its own, in a database of its own on the measured controller's server. */
export async function startFloorServer(database: Database): Promise<FloorServer> {
  const entry = join(__dirname, '..', 'floor', 'server.ts');
  const name = `reins_bench_floor_${process.pid}_${++used}`;
  const program = await startProgram(
    [process.execPath, '--import', 'tsx', entry, database.uri, name],
    /listening on (\S+)/,
  );
  const url = program.match;
  const sockets: Socket[] = [];
  return {
    url,
    pid: program.pid,
    name,
    connect: async () => {
      const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
      sockets.push(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('connect_error', reject);
      });
      return socket;
    },
    stop: async () => {
      for (const socket of sockets) socket.disconnect();
      await program.stop();
      await database.drop(name);
    },
  };
}
