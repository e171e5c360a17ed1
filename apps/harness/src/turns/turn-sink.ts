import { type HarnessEventData, type HarnessEventType } from '@reins/shared/link/events';
import { type EventSink } from '../drivers/driver.port';
import { type EventChannel } from '../events/event-channel';
import { fitData, type OversizeOptions } from '../events/oversize';
import { type LiveTurn } from './live-turn';

export interface TurnSinkOptions {
  turn: LiveTurn;
  channel: EventChannel;
  upload: OversizeOptions['upload'];
  /** Called after each event, when the agent may have told its conversation id. */
  onEvent: () => void;
}

/** The events of one turn, in the order they are emitted even where large data takes its time. */
export class TurnSink implements EventSink {
  private tail: Promise<void> = Promise.resolve();

  constructor(private readonly options: TurnSinkOptions) {}

  emit<T extends HarnessEventType>(type: T, data: HarnessEventData<T>): Promise<void> {
    this.options.turn.noteOutput();
    const written = this.tail.then(() => this.write(type, data));
    this.tail = written.then(undefined, () => undefined);
    return written;
  }

  private async write(type: string, data: Record<string, unknown>): Promise<void> {
    const { turn, channel, upload, onEvent } = this.options;
    if (turn.isFenced) return;
    const losses: string[] = [];
    const fitted = await fitData(type, data, { upload, onLoss: (message) => losses.push(message) });
    const owner = { turnId: turn.id, generation: turn.generation };
    for (const piece of fitted) {
      if (turn.isFenced) return;
      await channel.publish({ ...owner, type, data: piece });
    }
    for (const message of losses) {
      await channel.publish({ ...owner, type: 'log', data: { level: 'warn', message } });
    }
    onEvent();
  }
}
