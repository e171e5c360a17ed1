import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay that a test can cut and mend: what a failing network looks like to both ends. */
export class FlakyProxy {
  private readonly sockets = new Set<Socket>();
  private cut = false;
  private server: Server | undefined;

  /** `target` may become known later than the proxy's own address. */
  constructor(private target: { port: number } = { port: 0 }) {}

  async listen(): Promise<string> {
    this.server = createServer((client) => this.relay(client));
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  toward(url: string): void {
    this.target = { port: Number(new URL(url).port) };
  }

  /** Drops every connection and refuses new ones until mended. */
  break(): void {
    this.cut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.cut = false;
  }

  close(): void {
    this.break();
    this.server?.close();
  }

  private relay(client: Socket): void {
    if (this.cut) {
      client.destroy();
      return;
    }
    const upstream = connect(this.target.port, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
