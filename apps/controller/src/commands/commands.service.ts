import { Injectable } from '@nestjs/common';
import { type Command, type CommandAck, type CommandCursor } from '@reins/shared/link/frames';
import { systemClock } from '@reins/shared/util';
import { type OrgScope } from '../access/principal';
import { Bus } from '../bus/bus';
import { type CommandDocument } from './command.schema';
import { CommandsRepository } from './commands.repository';

const LOOK_EVERY_MS = 1000;

/** The ordered outbox to the harness: stored first, then rung for, repeated with each heartbeat until applied. */
@Injectable()
export class CommandsService {
  private readonly waiting = new Map<string, () => void>();

  constructor(
    private readonly commands: CommandsRepository,
    private readonly bus: Bus,
  ) {
    bus.subscribe('command.applied', ({ commandId }) => this.waiting.get(commandId)?.());
  }

  /** An abort has a lane of its own, so that nothing in front of it can delay it. */
  abort(scope: OrgScope, sessionId: string, turnId: string, reason: string): Promise<CommandDocument> {
    return this.enqueue(scope, sessionId, 'abort', 'abort', { turnId, reason });
  }

  end(scope: OrgScope, sessionId: string, deadlineMs: number): Promise<CommandDocument> {
    return this.enqueue(scope, sessionId, 'main', 'end', { deadlineMs });
  }

  async open(
    scope: OrgScope,
    sessionIds: readonly string[],
    after?: Record<string, CommandCursor>,
  ): Promise<Command[]> {
    if (sessionIds.length === 0) return [];
    const open = await this.commands.open(scope, sessionIds);
    return open.filter(({ sessionId, lane, n }) => n > (after?.[sessionId]?.[lane] ?? 0)).map(toCommand);
  }

  async acknowledge(scope: OrgScope, ack: CommandAck): Promise<void> {
    const command = await this.commands.acknowledge(scope, ack);
    if (command !== undefined) this.bus.publish('command.applied', { orgId: scope.orgId, commandId: command._id });
  }

  /** The command once its harness has applied it, or undefined when the time is up. */
  async applied(scope: OrgScope, command: CommandDocument, timeoutMs: number): Promise<CommandDocument | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const { sessionId, lane, n } = command;
      const now = await this.commands.get(scope, sessionId, lane, n);
      if (now === undefined || now.ackedAt !== null) return now;
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return undefined;
      await this.rung(command._id, Math.min(leftMs, LOOK_EVERY_MS));
    }
  }

  private async rung(commandId: string, ms: number): Promise<void> {
    const rung = new AbortController();
    this.waiting.set(commandId, () => rung.abort());
    await systemClock.sleep(ms, rung.signal).catch(() => undefined);
    this.waiting.delete(commandId);
  }

  private async enqueue(
    scope: OrgScope,
    sessionId: string,
    lane: Command['lane'],
    type: Command['type'],
    body: Record<string, unknown>,
  ): Promise<CommandDocument> {
    const command = await this.commands.add(scope, sessionId, lane, type, body);
    this.bus.publish('command.queued', { orgId: scope.orgId, sessionId });
    return command;
  }
}

function toCommand({ sessionId, lane, n, type, body }: CommandDocument): Command {
  return { sessionId, lane, n, type, body } as Command;
}
