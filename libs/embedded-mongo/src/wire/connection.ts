import { type Socket } from 'node:net';
import { commandName, errorReply, runCommand } from '../commands/registry';
import { type Engine } from '../commands/command';
import { toMongoError, MongoError } from '../errors';
import { MessageReader, parseRequest, replyTo, type Request } from './message';

const HANDSHAKE_COMMANDS = new Set(['hello', 'isMaster', 'ismaster']);

/** One client. Its commands run one after the other, in the order they came. */
export class Connection {
  private readonly reader = new MessageReader();
  private tail: Promise<void> = Promise.resolve();
  private ending = false;

  constructor(
    private readonly socket: Socket,
    private readonly engine: Engine,
    private readonly id: number,
    private readonly log: (line: string) => void,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', () => socket.destroy());
  }

  /** Takes no more requests, answers those under way, and closes. */
  async finish(): Promise<void> {
    this.ending = true;
    this.socket.pause();
    await this.tail;
    await new Promise<void>((resolve) => {
      if (this.socket.destroyed) return resolve();
      this.socket.end(() => resolve());
    });
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    if (this.ending) return;
    try {
      for (const message of this.reader.push(chunk)) this.tail = this.tail.then(() => this.handle(message));
    } catch (error) {
      this.log(`connection ${this.id} closed: ${toMongoError(error).message}`);
      this.socket.destroy();
    }
  }

  private async handle(message: Buffer): Promise<void> {
    let request: Request;
    try {
      request = parseRequest(message);
    } catch (error) {
      this.send(
        replyTo(
          { requestId: message.readInt32LE(4), opCode: message.readInt32LE(12) },
          errorReply(toMongoError(error)),
        ),
      );
      return;
    }
    const reply = await this.answer(request);
    if (!request.fireAndForget) this.send(replyTo(request, reply));
  }

  private async answer(request: Request): Promise<Buffer> {
    const { body, sequences, database } = request;
    try {
      const name = commandName(body);
      if (database !== undefined && !HANDSHAKE_COMMANDS.has(name)) {
        throw new MongoError(352, `Unsupported OP_QUERY command: ${name}. The client driver may require an upgrade.`);
      }
      return await runCommand(this.engine, this.id, body, sequences, database);
    } catch (error) {
      if (!(error instanceof MongoError))
        this.log(`command failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return errorReply(toMongoError(error));
    }
  }

  private send(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }
}
