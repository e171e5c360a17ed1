import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type CommandCursor, type CommandLane } from '@reins/shared/link/frames';

interface StoredState {
  lastCommand: CommandCursor;
  /** The CLI's own conversation id of each lane. */
  lanes: Record<string, string>;
  /** How the last command of each lane ended, for a controller that did not hear it. */
  results: Partial<
    Record<CommandLane, { n: number; ok: boolean; result?: unknown; error?: { code: string; message: string } }>
  >;
}

/** What the harness must remember of a session when its process is replaced. Written at once on each change. */
export class SessionState {
  private readonly state: StoredState;

  constructor(private readonly path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.state = { lastCommand: { main: 0, abort: 0 }, lanes: {}, results: {}, ...readObject(path) };
  }

  get lastCommand(): CommandCursor {
    return { ...this.state.lastCommand };
  }

  conversationOf(lane: string): string | undefined {
    return this.state.lanes[lane];
  }

  setConversation(lane: string, id: string): void {
    if (this.state.lanes[lane] === id) return;
    this.state.lanes[lane] = id;
    this.save();
  }

  resultOf(lane: CommandLane, n: number): StoredState['results'][CommandLane] {
    const last = this.state.results[lane];
    return last?.n === n ? last : undefined;
  }

  commandApplied(lane: CommandLane, result: NonNullable<StoredState['results'][CommandLane]>): void {
    this.state.lastCommand[lane] = result.n;
    this.state.results[lane] = result;
    this.save();
  }

  private save(): void {
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, JSON.stringify(this.state), { mode: 0o600 });
    renameSync(temporary, this.path);
  }
}

/** A file that is missing or was cut by a crash of the machine counts as no memory. */
function readObject(path: string): Partial<StoredState> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
