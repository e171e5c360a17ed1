import { type SessionLogEvent } from '@reins/shared/link/events';
import { systemClock } from '@reins/shared/util';
import { type ApiClient } from './api-client';

const BACK_WITHIN_MS = 500;

/** Follows a session's log as a browser does: whenever its stream ends it comes back with the last id it was given. */
export class ReturningViewer {
  readonly events: SessionLogEvent[] = [];
  /** Other messages than events and the end of the replay: a reset would mean that something was lost. */
  readonly complaints: string[] = [];
  opened = 0;

  constructor(
    private readonly api: ApiClient,
    private readonly sessionId: string,
  ) {}

  /** Until the events are what was waited for, or the signal aborts. */
  async watch(isDone: (events: readonly SessionLogEvent[]) => boolean, until: AbortSignal): Promise<void> {
    while (!isDone(this.events) && !until.aborted) {
      try {
        await this.stream(isDone, until);
      } catch {
        // No controller, or one that has just gone: like a browser, again a little later.
      }
      await systemClock.sleep(Math.random() * BACK_WITHIN_MS);
    }
  }

  private async stream(isDone: (events: readonly SessionLogEvent[]) => boolean, until: AbortSignal): Promise<void> {
    const last = this.events[this.events.length - 1]?.seq;
    const headers: Record<string, string> = last === undefined ? {} : { 'Last-Event-ID': String(last) };
    const path = `/sessions/${this.sessionId}/events`;
    this.opened++;
    for await (const message of this.api.sse('GET', path, undefined, headers, until)) {
      if (message.event !== undefined || message.id === undefined) {
        if (message.event !== 'caught-up') this.complaints.push(`${message.event}: ${message.data}`);
        continue;
      }
      this.events.push(JSON.parse(message.data) as SessionLogEvent);
      if (isDone(this.events)) return;
    }
  }
}
