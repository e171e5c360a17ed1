import { type Driver, type DriverContext, type DriverOutcome, type EventSink } from '../../drivers/driver.port';

/** What an agent of a test does with each prompt; it ends when it is killed, whatever it does. */
export type Play = (prompt: string, sink: EventSink, signal: AbortSignal) => Promise<Partial<DriverOutcome>>;

/** A driver whose turns are functions of the test, and what the harness did with it. */
export class ScriptedAgent {
  readonly contexts: DriverContext[] = [];
  readonly killed: string[] = [];
  stopped = 0;
  play: Play = async (prompt, sink) => {
    await sink.emit('text', { text: `heard: ${prompt}` });
    return {};
  };

  readonly create = (context: DriverContext): Driver => {
    this.contexts.push(context);
    const capabilities = { deltas: true, resume: true, usage: false, permissions: false };
    let end: (outcome: Partial<DriverOutcome>) => void = () => undefined;
    let conversationId = context.resumeId;
    return {
      capabilities,
      pid: undefined,
      get conversationId() {
        return conversationId;
      },
      start: async () => undefined,
      prompt: async ({ prompt }, sink, signal) => {
        conversationId ??= `talk-${this.contexts.length}`;
        const killed = new Promise<Partial<DriverOutcome>>((resolve) => (end = resolve));
        const outcome = await Promise.race([this.play(prompt, sink, signal), killed]);
        return { status: 'complete', stopReason: 'end_turn', usage: undefined, ...outcome };
      },
      kill: async () => {
        this.killed.push(context.workspace);
        end({ status: 'failed', stopReason: 'process_exited' });
      },
      stop: async () => void this.stopped++,
    };
  };
}

export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
