import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * A load balancer of TCP connections: each goes to the next target in turn, or to the one after it where nobody listens.
 * It knows nothing of readiness, so a target that is leaving is sent connections for as long as it takes any.
 */
export class Balancer {
  /** Connections each target has taken. */
  readonly taken = new Map<string, number>();
  private readonly targets: string[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server: Server = createServer({ noDelay: true }, (client) => void this.relay(client));
  private turn = 0;

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  add(url: string): void {
    this.targets.push(url);
    this.taken.set(url, 0);
  }

  remove(url: string): void {
    this.targets.splice(this.targets.indexOf(url), 1);
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private async relay(client: Socket): Promise<void> {
    this.hold(client);
    const first = this.turn++;
    const order = this.targets.map((_, index) => this.targets[(first + index) % this.targets.length] ?? '');
    for (const url of order) {
      const upstream = await reach(url);
      if (upstream === undefined) continue;
      this.taken.set(url, (this.taken.get(url) ?? 0) + 1);
      this.hold(upstream);
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
      client.pipe(upstream).pipe(client);
      if (client.destroyed) upstream.destroy();
      return;
    }
    client.destroy();
  }

  private hold(socket: Socket): void {
    this.sockets.add(socket);
    // What follows from a broken connection is its close.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}

/** A connection to the address; undefined where nobody listens. */
function reach(url: string): Promise<Socket | undefined> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', noDelay: true });
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
