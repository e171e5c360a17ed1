import { Injectable } from '@nestjs/common';
import { systemClock } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { SharedBus } from '../bus/shared-bus';
import { LogEvent } from './log-event';

/** For so long a session whose events nobody wanted is not offered again; whoever follows it says so at once. */
const NOBODY_FOR_MS = 5_000;

type Receiver = (sessionId: string, events: readonly LogEvent[]) => void;
type Reached = (sessionId: string) => void;

/**
 * Carries durable events to the controllers that have followers of the session, as the text they are stored as. Only a
 * shortcut: what gets lost is in the log.
 */
@Injectable()
export class LogFanout {
  /** Sessions no other controller follows, and until when that is believed. */
  private readonly unwanted = new Map<string, number>();
  private receiver: Receiver = () => undefined;
  private reached: Reached = () => undefined;

  constructor(
    private readonly shared: SharedBus,
    bus: Bus,
  ) {
    bus.subscribe('log.followed', ({ sessionId }) => void this.unwanted.delete(sessionId), 'elsewhere');
    shared.onUpChange(() => this.unwanted.clear());
  }

  /** `reached` is told when a followed session's events begin to arrive: what came before has to be read. */
  receive(receiver: Receiver, reached: Reached): void {
    this.receiver = receiver;
    this.reached = reached;
  }

  /** Tells the other controllers' followers. Never blocks and never throws. */
  tell(sessionId: string, events: readonly LogEvent[]): void {
    const [first] = events;
    if (first === undefined || !this.shared.isUp) return;
    const until = this.unwanted.get(sessionId);
    if (until !== undefined && until > systemClock.monotonic()) return;
    const text = [this.shared.origin, first.seq, ...events.map(({ json }) => json)].join('\n');
    void this.shared.publish(channelOf(sessionId), text).then((receivers) => {
      if (receivers === 0) this.unwanted.set(sessionId, systemClock.monotonic() + NOBODY_FOR_MS);
      else this.unwanted.delete(sessionId);
    });
  }

  follow(sessionId: string, bus: Bus): void {
    if (!this.shared.isConfigured) return;
    this.shared.listen(
      channelOf(sessionId),
      (text) => this.hear(sessionId, text),
      () => {
        bus.publish('log.followed', { sessionId });
        this.reached(sessionId);
      },
    );
  }

  unfollow(sessionId: string): void {
    if (this.shared.isConfigured) this.shared.unlisten(channelOf(sessionId));
  }

  /** Nothing of the session is written here any more. */
  forget(sessionId: string): void {
    this.unwanted.delete(sessionId);
  }

  private hear(sessionId: string, text: string): void {
    const [origin, seq, ...lines] = text.split('\n');
    if (origin === this.shared.origin) return;
    const from = Number(seq);
    this.receiver(
      sessionId,
      lines.map((json, index) => new LogEvent(from + index, json)),
    );
  }
}

function channelOf(sessionId: string): string {
  return `log:${sessionId}`;
}
