import { describeError, type Logger } from '../log/logger';

export interface ConversationsOptions<M> {
  /** Works off one message. Its rejection is logged and ends nothing else. */
  run: (conversation: string, message: M, signal: AbortSignal) => Promise<void>;
  /** Conversations in which something runs at the same time. */
  maxParallel: number;
  /** Messages of one conversation that wait behind the one that runs. */
  maxWaiting: number;
  log: Logger;
}

interface Conversation<M> {
  waiting: M[];
  running: { abort: AbortController; done: Promise<void> } | undefined;
}

/** Messages of one conversation run one at a time in their order; conversations run side by side, up to a limit. */
export class Conversations<M> {
  /** In the order in which they are served: whoever was served last is at the end. Only those with something to do. */
  private readonly conversations = new Map<string, Conversation<M>>();

  constructor(private readonly options: ConversationsOptions<M>) {}

  /** False where so much waits in this conversation that the message is not taken. */
  offer(name: string, message: M): boolean {
    const conversation = this.conversations.get(name) ?? { waiting: [], running: undefined };
    if (conversation.running !== undefined && conversation.waiting.length >= this.options.maxWaiting) return false;
    conversation.waiting.push(message);
    this.conversations.set(name, conversation);
    this.pump();
    return true;
  }

  /** Resolves when nothing runs or waits in those that match; what still does after `graceMs` is stopped. */
  async end(matches: (name: string) => boolean, graceMs = 0): Promise<void> {
    const ours = (): Conversation<M>[] => [...this.conversations].filter(([name]) => matches(name)).map(([, c]) => c);
    for (const conversation of ours()) conversation.waiting.length = 0;
    const stop = (): void => ours().forEach(({ running }) => running?.abort.abort(new Error('the bridge is stopped')));
    if (graceMs === 0) stop();
    const deadline = setTimeout(stop, graceMs);
    while (ours().length > 0)
      await Promise.all(ours().flatMap(({ running }) => (running === undefined ? [] : [running.done])));
    clearTimeout(deadline);
  }

  private get runningCount(): number {
    return [...this.conversations.values()].filter(({ running }) => running !== undefined).length;
  }

  private pump(): void {
    let free = this.options.maxParallel - this.runningCount;
    for (const [name, conversation] of [...this.conversations]) {
      if (free <= 0) return;
      if (conversation.running !== undefined) continue;
      const message = conversation.waiting.shift();
      if (message === undefined) continue;
      const running = { abort: new AbortController(), done: Promise.resolve() };
      conversation.running = running;
      running.done = this.work(name, conversation, message, running.abort.signal);
      free--;
    }
  }

  private async work(name: string, conversation: Conversation<M>, message: M, signal: AbortSignal): Promise<void> {
    try {
      await this.options.run(name, message, signal);
    } catch (error) {
      this.options.log.error('a message could not be worked off', { conversation: name, reason: describeError(error) });
    }
    conversation.running = undefined;
    this.conversations.delete(name);
    if (conversation.waiting.length > 0) this.conversations.set(name, conversation);
    this.pump();
  }
}
