import { type SessionDescriptor } from '@reins/shared/link/connect';
import { withoutUndefined } from '../agent/configured-agent';
import { describeError } from '../log/logger';
import { writeInstruction } from '../workspace/instruction-file';
import { type SessionHost } from './session-host';

export interface SessionDefinitionOptions {
  descriptor: SessionDescriptor;
  workspace: string;
  host: Pick<SessionHost, 'configuration' | 'fetchPrompt'>;
  /** Tells the session's log that an edit could not be taken over. */
  report: (message: string) => void;
}

const FETCH_MS = 30_000;

/** What a session goes by: its worker as it was told last, and for the rest the harness's own configuration. */
export class SessionDefinition {
  private current: SessionDescriptor;
  /** Undefined where the harness's own instruction holds. */
  private instruction: string | undefined;
  /** The text the agent's instruction file has. */
  private written: string | undefined;

  constructor(private readonly options: SessionDefinitionOptions) {
    this.current = options.descriptor;
  }

  get descriptor(): SessionDescriptor {
    return this.current;
  }

  /** What the next turn goes by. An agent that serves several sessions has of its own only what a worker does not say. */
  configuration(): ReturnType<SessionHost['configuration']> {
    const own = this.options.host.configuration();
    if (this.instruction === undefined) return own;
    const mcpServers = withoutUndefined(this.current.mcpServers ?? {});
    return { ...own, instruction: this.instruction, mcpServers, allowedTools: [] };
  }

  /** Gets what the descriptor only refers to. Rejects where it cannot be had. */
  async resolve(): Promise<void> {
    const descriptor = this.current;
    const instruction = await this.instructionOf(descriptor);
    // An edit that came meanwhile is newer.
    if (this.current === descriptor) this.instruction = instruction;
  }

  /** From the next turn on it goes by this. */
  replace(descriptor: SessionDescriptor): void {
    this.current = descriptor;
    this.resolve().catch((error: unknown) => {
      const why = describeError(error);
      this.options.report(`the edited instruction could not be fetched, the agent goes by the old one: ${why}`);
    });
  }

  noteWritten(instruction: string): void {
    this.written = instruction;
  }

  /** Only when the text has changed: what the agent itself wrote into its file stays otherwise. Never rejects. */
  async write(instruction: string): Promise<void> {
    if (instruction === this.written) return;
    try {
      await writeInstruction(this.options.workspace, this.current.cliType, instruction);
      this.written = instruction;
    } catch (error) {
      const why = describeError(error);
      this.options.report(`the new instruction could not be written, the agent goes by the old one: ${why}`);
    }
  }

  private async instructionOf({ instruction, instructionUrl }: SessionDescriptor): Promise<string | undefined> {
    if (instructionUrl === undefined) return instruction;
    return this.options.host.fetchPrompt(instructionUrl, AbortSignal.timeout(FETCH_MS));
  }
}
