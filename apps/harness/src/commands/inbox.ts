import {
  type Command,
  COMMAND_LANES,
  type CommandAck,
  type CommandCursor,
  type CommandLane,
} from '@reins/shared/link/frames';

export type CommandResult = Pick<CommandAck, 'ok' | 'result' | 'error'>;

export interface InboxOptions {
  /** Carries one command out. Commands of one lane never overlap; the lanes do. */
  apply: (command: Command) => Promise<CommandResult>;
  /** The last applied command of each lane; survives a restart. */
  cursor: () => CommandCursor;
  applied: (command: Command, result: CommandResult) => void;
  /** Tells the controller how a command ended, until it has heard it. */
  acknowledge: (command: Command, result: CommandResult) => void;
  /** A command the cursor has passed already: the controller did not hear its end. */
  repeated: (command: Command) => void;
  /** A command came whose predecessor did not. */
  onGap: () => void;
}

/** Commands of one session, whichever way they came, each applied once and in order. */
export class CommandInbox {
  private readonly waiting: Record<CommandLane, Map<number, Command>> = { main: new Map(), abort: new Map() };
  private readonly running: Record<CommandLane, boolean> = { main: false, abort: false };
  private readonly settled: CommandCursor = { main: 0, abort: 0 };

  constructor(private readonly options: InboxOptions) {}

  /** Takes one command as it was pushed or carried by a heartbeat's answer. */
  offer(command: Command): void {
    const { lane, n } = command;
    if (n <= this.options.cursor()[lane]) return this.options.repeated(command);
    this.waiting[lane].set(n, command);
    if (!this.advance(lane)) this.options.onGap();
  }

  /**
   * Takes the answer to a pull: everything that is outstanding, without gaps. Where it starts above the cursor, the
   * numbers between are settled (an earlier harness of this session applied them), so it goes on from there.
   */
  offerAll(commands: readonly Command[]): void {
    for (const lane of COMMAND_LANES) {
      const ofLane = commands.filter((command) => command.lane === lane);
      if (ofLane.length === 0) continue;
      this.settled[lane] = Math.max(this.settled[lane], Math.min(...ofLane.map(({ n }) => n)) - 1);
      for (const command of ofLane) {
        if (command.n <= this.options.cursor()[lane]) this.options.repeated(command);
        else this.waiting[lane].set(command.n, command);
      }
      this.advance(lane);
    }
  }

  /** Starts the next command of a lane; false where it is not there while later ones are. */
  private advance(lane: CommandLane): boolean {
    if (this.running[lane]) return true;
    const waiting = this.waiting[lane];
    const next = Math.max(this.options.cursor()[lane], this.settled[lane]) + 1;
    const command = waiting.get(next);
    if (command === undefined) return waiting.size === 0;
    waiting.delete(next);
    this.running[lane] = true;
    void this.carryOut(command);
    return true;
  }

  private async carryOut(command: Command): Promise<void> {
    let result: CommandResult;
    try {
      result = await this.options.apply(command);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      result = { ok: false, error: { code: 'internal', message } };
    }
    this.options.applied(command, result);
    this.running[command.lane] = false;
    this.options.acknowledge(command, result);
    if (!this.advance(command.lane)) this.options.onGap();
  }
}
