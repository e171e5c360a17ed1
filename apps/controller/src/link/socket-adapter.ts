import { Injectable, Logger } from '@nestjs/common';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { type Redis } from 'ioredis';
import { type Adapter } from 'socket.io-adapter';
import { RedisConnections } from '../bus/redis';
import { SharedBus } from '../bus/shared-bus';

/** Entries kept for readers that were away for a moment. */
const STREAM_ENTRIES = 10_000;
/** How long one read of the stream waits; a controller that stops waits for it. */
const BLOCK_MS = 1_000;

type AdapterFactory = ReturnType<typeof createAdapter>;

/** What is emitted to a room here reaches the room's sockets at every controller, through a stream of Redis. */
@Injectable()
export class SocketAdapter {
  private readonly logger = new Logger('SocketAdapter');

  constructor(
    private readonly connections: RedisConnections,
    private readonly shared: SharedBus,
  ) {}

  /** Undefined without Redis. */
  create(): AdapterFactory | undefined {
    // A read waits for a lost connection: one that failed at once would be repeated without end.
    const client = this.connections.connect('sockets', { maxRetriesPerRequest: null });
    if (client === undefined) return undefined;
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (override) => this.quiet(this.connections.keep(duplicate(override)));
    return createAdapter(client, {
      streamName: `${this.shared.prefix}sockets`,
      channelPrefix: `${this.shared.prefix}sockets`,
      maxLen: STREAM_ENTRIES,
      blockTimeInMs: BLOCK_MS,
    });
  }

  /** Ends the reading of the stream, which has to be before its connection ends. */
  close(adapters: Iterable<Adapter>): void {
    for (const adapter of adapters) void adapter.close();
  }

  /** Nobody waits for the adapter's subscriptions, so their failing, as when the controller stops, is noted here. */
  private quiet(client: Redis): Redis {
    const subscribe = client.subscribe.bind(client) as (...channels: unknown[]) => Promise<unknown>;
    const watched = (...channels: unknown[]): Promise<unknown> => {
      const done = subscribe(...channels);
      done.catch((error: unknown) => this.logger.debug({ err: error }, 'a subscription of the sockets failed'));
      return done;
    };
    return Object.assign(client, { subscribe: watched });
  }
}
