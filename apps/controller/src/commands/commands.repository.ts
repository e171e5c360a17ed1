import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Command, type CommandAck, type CommandLane } from '@reins/shared/link/frames';
import { type Connection } from 'mongoose';
import { type OrgScope } from '../access/principal';
import { isDuplicateKey, TenantRepository } from '../database/tenant.repository';
import { COMMAND, type CommandDocument, commandSchema } from './command.schema';

const commandId = (sessionId: string, lane: CommandLane, n: number): string =>
  `${sessionId}/${lane}/${String(n).padStart(9, '0')}`;

@Injectable()
export class CommandsRepository extends TenantRepository<CommandDocument> {
  constructor(@InjectConnection() connection: Connection) {
    super(connection.model<CommandDocument>(COMMAND, commandSchema));
  }

  /** Stores a command under the next number of its lane; the primary key settles who gets which. */
  async add(
    scope: OrgScope,
    sessionId: string,
    lane: CommandLane,
    type: Command['type'],
    body: Record<string, unknown>,
  ): Promise<CommandDocument> {
    for (;;) {
      const n = (await this.last(scope, sessionId, lane)) + 1;
      try {
        const fresh = { createdAt: new Date(), ackedAt: null, ok: null, result: null, error: null };
        return await this.insert(scope, {
          _id: commandId(sessionId, lane, n),
          sessionId,
          lane,
          n,
          type,
          body,
          ...fresh,
        });
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
    }
  }

  /** What the sessions' harnesses have not applied yet, each lane in order. */
  async open(scope: OrgScope, sessionIds: readonly string[]): Promise<CommandDocument[]> {
    return this.model
      .find(this.scoped(scope, { sessionId: { $in: sessionIds }, ackedAt: null }))
      .sort({ n: 1 })
      .lean<CommandDocument[]>()
      .exec();
  }

  /** Notes the result once; undefined where it was noted before. */
  acknowledge(scope: OrgScope, ack: CommandAck): Promise<CommandDocument | undefined> {
    const { sessionId, lane, n, ok, result = null, error = null } = ack;
    return this.updateOne(
      scope,
      { _id: commandId(sessionId, lane, n), ackedAt: null },
      { $set: { ackedAt: new Date(), ok, result, error } },
    );
  }

  get(scope: OrgScope, sessionId: string, lane: CommandLane, n: number): Promise<CommandDocument | undefined> {
    return this.findOne(scope, { _id: commandId(sessionId, lane, n) });
  }

  private async last(scope: OrgScope, sessionId: string, lane: CommandLane): Promise<number> {
    const last = await this.model
      .findOne(this.scoped(scope, { _id: { $gte: `${sessionId}/${lane}/`, $lt: `${sessionId}/${lane}0` } }), { n: 1 })
      .sort({ _id: -1 })
      .lean<{ n: number }>()
      .exec();
    return last?.n ?? 0;
  }
}
