import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import { Config } from '../config/config';

const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Connections to the Redis of REDIS_URL. None of them is waited for: whoever uses one bears with its absence. */
@Injectable()
export class RedisConnections implements OnApplicationShutdown {
  private readonly logger = new Logger('Redis');
  private readonly open = new Set<Redis>();

  constructor(private readonly config: Config) {}

  get isConfigured(): boolean {
    return this.config.env.REDIS_URL !== undefined;
  }

  /** A connection of its own, made again for as long as it is not closed. Undefined without REDIS_URL. */
  connect(name: string, options: RedisOptions = {}): Redis | undefined {
    const url = this.config.env.REDIS_URL;
    if (url === undefined) return undefined;
    const connection = new Redis(url, {
      connectionName: `reins-${name}`,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: (times) => Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(times, 10)),
      ...options,
    });
    return this.keep(connection);
  }

  /** Has a connection somebody else made from one of these end with the controller. */
  keep(connection: Redis): Redis {
    this.open.add(connection);
    // Every failed attempt says so here; what it means is said once by whoever uses the connection.
    connection.on('error', (error) => this.logger.debug({ err: error }, 'a connection to Redis failed'));
    return connection;
  }

  close(connection: Redis | undefined): void {
    if (connection === undefined) return;
    connection.disconnect();
    this.open.delete(connection);
  }

  onApplicationShutdown(): void {
    for (const connection of this.open) connection.disconnect();
    this.open.clear();
  }
}
