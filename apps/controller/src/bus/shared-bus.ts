import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { newId } from '@reins/shared/ids';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { type Redis } from 'ioredis';
import { Metrics } from '../metrics/metrics';
import { InstallationRepository } from '../database/installation.repository';
import { RedisConnections } from './redis';

const ECHO_EVERY_MS = 1_000;
/** Without its own echo for so long a controller counts as unheard, whatever its sockets say. */
const DEAF_AFTER_MS = 3_500;
/** Messages Redis has not confirmed; beyond it they are dropped instead of kept. */
const MOST_UNCONFIRMED = 10_000;

type Receiver = (topic: string, message: unknown) => void;
type ChannelListener = (text: string) => void;

/**
 * The way between controllers: channels of Redis. What is sent while it is away is lost, which the receivers' polls make
 * up for. It counts as up while the controller hears its own echo, so a connection that only seems alive is noticed.
 */
@Injectable()
export class SharedBus implements BeforeApplicationShutdown {
  /** Tells own messages from those of others. */
  readonly origin = newId('replica');
  private readonly logger = new Logger('Bus');
  private readonly listeners = new Map<string, ChannelListener>();
  private readonly upListeners = new Set<(isUp: boolean) => void>();
  private readonly gauge;
  private readonly dropped;
  private receiver: Receiver = () => undefined;
  private sender: Redis | undefined;
  private reader: Redis | undefined;
  private own = '';
  private heardAt = -Infinity;
  private madeAt = 0;
  private up = false;
  private unconfirmed = 0;
  private echoing: Interval | undefined;

  constructor(
    private readonly connections: RedisConnections,
    private readonly installation: InstallationRepository,
    metrics: Metrics,
  ) {
    this.gauge = metrics.gauge('reins_bus_up', '1 while other controllers hear this one through Redis');
    this.dropped = metrics.counter('reins_bus_dropped_total', 'Messages to other controllers that could not be sent');
  }

  get isConfigured(): boolean {
    return this.connections.isConfigured;
  }

  /** In front of every name this installation uses in Redis; known once it has started. */
  get prefix(): string {
    return this.own;
  }

  get isUp(): boolean {
    return this.up;
  }

  /** Connects; does not wait for Redis. */
  async start(): Promise<void> {
    if (!this.isConfigured) return;
    this.own = `reins:${await this.installation.id()}:`;
    this.sender = this.connections.connect('bus', { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    this.reader = this.connections.connect('bus-reader', { maxRetriesPerRequest: null });
    this.reader?.on('message', (channel: string, text: string) => this.listeners.get(channel)?.(text));
    for (const connection of [this.sender, this.reader]) connection?.on('close', () => this.note(false));
    this.listen('bus', (text) => this.hear(text));
    this.listen(`echo:${this.origin}`, () => {
      this.heardAt = systemClock.monotonic();
      this.note(true);
    });
    this.reader?.on('ready', () => this.echoing?.trigger());
    this.sender?.on('ready', () => this.echoing?.trigger());
    this.madeAt = systemClock.monotonic();
    this.echoing = startInterval({
      everyMs: ECHO_EVERY_MS,
      run: () => this.echo(),
      onError: (error) => this.logger.warn({ err: error }, 'the echo of the bus failed; the next one follows'),
    });
    this.echoing.trigger();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.echoing?.stop();
    this.upListeners.clear();
    this.gauge.set(0);
  }

  /** Told of what other controllers send. */
  receive(receiver: Receiver): void {
    this.receiver = receiver;
  }

  /** Told when others begin and cease to hear this controller. */
  onUpChange(listener: (isUp: boolean) => void): void {
    this.upListeners.add(listener);
  }

  send(topic: string, message: unknown): void {
    void this.publish('bus', `${this.origin} ${topic} ${JSON.stringify(message)}`);
  }

  /** How many controllers were told, undefined where Redis could not be asked. Never rejects. */
  async publish(channel: string, text: string): Promise<number | undefined> {
    if (this.sender?.status !== 'ready' || this.unconfirmed >= MOST_UNCONFIRMED) {
      if (this.isConfigured) this.dropped.inc();
      return undefined;
    }
    this.unconfirmed++;
    try {
      return await this.sender.publish(this.prefix + channel, text);
    } catch {
      this.dropped.inc();
      return undefined;
    } finally {
      this.unconfirmed--;
    }
  }

  /** Hears a channel from when `heard` is called on; a lost connection is made up for by itself. */
  listen(channel: string, listener: ChannelListener, heard: () => void = () => undefined): void {
    const name = this.prefix + channel;
    this.listeners.set(name, listener);
    this.reader?.subscribe(name).then(heard, (error: unknown) => {
      this.logger.debug({ err: error, channel }, 'a channel could not be listened to; the connection is made anew');
    });
  }

  unlisten(channel: string): void {
    const name = this.prefix + channel;
    this.listeners.delete(name);
    this.reader?.unsubscribe(name).catch((error: unknown) => {
      this.logger.debug({ err: error, channel }, 'a channel is still listened to');
    });
  }

  private hear(text: string): void {
    const [origin = '', topic = ''] = text.split(' ', 2);
    if (origin === this.origin) return;
    try {
      this.receiver(topic, JSON.parse(text.slice(origin.length + topic.length + 2)));
    } catch (error) {
      this.logger.warn({ err: error, topic }, 'another controller sent what this one does not understand');
    }
  }

  private echo(): void {
    const silentMs = systemClock.monotonic() - Math.max(this.heardAt, this.madeAt);
    if (silentMs > DEAF_AFTER_MS) {
      this.note(false);
      // Sockets that seem to be open although nothing comes through are made anew.
      this.madeAt = systemClock.monotonic();
      for (const connection of [this.sender, this.reader]) {
        if (connection?.status === 'ready') connection.disconnect(true);
      }
    }
    void this.publish(`echo:${this.origin}`, '');
  }

  private note(isUp: boolean): void {
    this.gauge.set(isUp ? 1 : 0);
    if (isUp === this.up) return;
    this.up = isUp;
    if (isUp) this.logger.log('other controllers are heard through Redis');
    else this.logger.warn('Redis is away: other controllers are heard of by polling until it is back');
    for (const listener of this.upListeners) listener(isUp);
  }
}
