import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import { type Collection, type Connection as DatabaseConnection } from 'mongoose';
import { type BusMessages } from '../bus/bus';
import { type SessionDocument } from '../sessions/session.schema';
import { type Connection } from './connections';

interface OfSession {
  _id: string;
  orgId: string;
  sessionId: string;
}

type SessionFacts = Pick<SessionDocument, '_id' | 'orgId' | 'agentId' | 'launchId' | 'status' | 'launcher'>;

/** What is stored for harnesses connected here, found by their own ids and sessions, so without a tenant. */
@Injectable()
export class DoorbellsRepository {
  private readonly turns: Collection<OfSession>;
  private readonly commands: Collection<OfSession>;
  private readonly sessions: Collection<SessionFacts>;

  constructor(@InjectConnection() connection: DatabaseConnection) {
    this.turns = connection.collection<OfSession>('turns');
    this.commands = connection.collection<OfSession>('commands');
    this.sessions = connection.collection<SessionFacts>('sessions');
  }

  withQueuedTurns(sessionIds: readonly string[]): Promise<BusMessages['turn.queued'][]> {
    return messagesOf(this.turns, { sessionId: { $in: [...sessionIds] }, status: 'queued' });
  }

  withOpenCommands(sessionIds: readonly string[]): Promise<BusMessages['command.queued'][]> {
    return messagesOf(this.commands, { sessionId: { $in: [...sessionIds] }, ackedAt: null });
  }

  /** Sessions whose host was chosen and has not been asked yet. */
  async offeredTo(agentIds: readonly string[]): Promise<BusMessages['session.bound'][]> {
    const offered = { agentId: { $in: [...agentIds] }, status: { $in: ['pending', 'suspended'] as never[] } };
    const found = await this.sessions
      .find({ ...offered, launcher: 'external', phase: 'connecting' } as object)
      .project<SessionFacts>({ orgId: 1, agentId: 1 })
      .toArray();
    return found.map(({ _id, orgId, agentId }) => ({ orgId, sessionId: _id, agentId: agentId ?? '' }));
  }

  /** Sessions a connected host still serves although they are not its own any more. */
  async lost(connections: readonly Connection[]): Promise<BusMessages['session.unbound'][]> {
    const servedBy = new Map<string, string>();
    for (const { agent, sessions } of connections) for (const id of sessions) servedBy.set(id, agent.agentId);
    const found = await this.sessions
      .find({ _id: { $in: [...servedBy.keys()] }, launcher: 'external' })
      .project<SessionFacts>({ orgId: 1, agentId: 1, launchId: 1, status: 1 })
      .toArray();
    return found.flatMap(({ _id, orgId, agentId, launchId, status }) => {
      const host = servedBy.get(_id) ?? '';
      if (agentId === host && launchId !== null && status !== 'ended') return [];
      const reason = status === 'ended' ? 'the session has ended' : 'it serves the session no more';
      return [{ orgId, sessionId: _id, agentId: host, reason, remove: status === 'ended' }];
    });
  }
}

/** Each session once. */
async function messagesOf(
  collection: Collection<OfSession>,
  filter: object,
): Promise<{ orgId: string; sessionId: string }[]> {
  const found = await collection.find(filter).project<OfSession>({ orgId: 1, sessionId: 1 }).toArray();
  const bySession = new Map(found.map(({ orgId, sessionId }) => [sessionId, { orgId, sessionId }]));
  return [...bySession.values()];
}
