import { type Command, type CommandAck, type CommandCursor, type CommandsPull } from '@reins/shared/link/frames';
import { type Clock } from '@reins/shared/util/clock';
import { LinkDown } from '../link/link-errors';
import { describeError, type Logger } from '../log/logger';
import { type SessionState } from '../sessions/session-state';
import { CommandInbox, type CommandResult } from './inbox';

export interface SessionCommandsOptions {
  sessionId: string;
  state: SessionState;
  apply: (command: Command) => Promise<CommandResult>;
  pull: (body: CommandsPull) => Promise<{ commands: Command[] }>;
  acknowledge: (body: CommandAck) => Promise<unknown>;
  log: Logger;
  clock: Clock;
}

const ACK_RETRY_MS = 500;

/** The commands of one session: taken from every way they come, applied in order, told until the controller has heard. */
export class SessionCommands {
  private readonly inbox: CommandInbox;
  private readonly unheard = new Map<string, { command: Command; result: CommandResult }>();
  private pulling = false;

  constructor(private readonly options: SessionCommandsOptions) {
    const { state, apply } = options;
    this.inbox = new CommandInbox({
      apply,
      cursor: () => state.lastCommand,
      applied: (command, result) => state.commandApplied(command.lane, { n: command.n, ...result }),
      acknowledge: (command, result) => this.acknowledge(command, result),
      repeated: (command) => this.acknowledge(command, state.resultOf(command.lane, command.n) ?? { ok: true }),
      onGap: () => void this.pull(),
    });
  }

  get cursor(): CommandCursor {
    return this.options.state.lastCommand;
  }

  offer(command: Command): void {
    this.inbox.offer(command);
  }

  /** After a new connection: what was missed, and what the controller has not heard. */
  resume(): void {
    void this.pull();
    for (const { command, result } of this.unheard.values()) void this.tell(command, result);
  }

  async pull(): Promise<void> {
    if (this.pulling) return;
    this.pulling = true;
    const { sessionId, log } = this.options;
    try {
      const { commands } = await this.options.pull({ sessionId, after: this.cursor });
      this.inbox.offerAll(commands);
    } catch (error) {
      // A heartbeat's answer or the next connection carries them again.
      log.debug('commands were not pulled', { reason: describeError(error) });
    } finally {
      this.pulling = false;
    }
  }

  private acknowledge(command: Command, result: CommandResult): void {
    const key = keyOf(command);
    const isKnown = this.unheard.has(key);
    this.unheard.set(key, { command, result });
    if (!isKnown) void this.tell(command, result);
  }

  private async tell(command: Command, result: CommandResult): Promise<void> {
    const { sessionId, log, clock } = this.options;
    const { lane, n } = command;
    while (this.unheard.has(keyOf(command))) {
      try {
        await this.options.acknowledge({ sessionId, lane, n, ...result });
        this.unheard.delete(keyOf(command));
      } catch (error) {
        log.debug('command.ack goes again', { n, reason: describeError(error) });
        // Without a connection the next one tells it again.
        if (error instanceof LinkDown) return;
        await clock.sleep(ACK_RETRY_MS);
      }
    }
  }
}

function keyOf({ lane, n }: Command): string {
  return `${lane} ${n}`;
}
