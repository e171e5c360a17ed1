import { Injectable } from '@nestjs/common';
import { type ByeReason, type Command } from '@reins/shared/link/frames';
import { type ControllerToHarness, type HarnessToController } from '@reins/shared/link/socket-events';
import { newId } from '@reins/shared/ids';
import { type Socket } from 'socket.io';
import { type AgentPrincipal } from '../access/principal';

/** What a connection is known by, from its handshake on. */
export interface ConnectionData {
  agent: AgentPrincipal;
  incarnation: string;
}

export type HarnessSocket = Socket<HarnessToController, ControllerToHarness, Record<string, never>, ConnectionData>;

/** One connected harness. */
export interface Connection extends ConnectionData {
  socket: HarnessSocket;
  /** Names it among all connections of all controllers. */
  id: string;
  /** From then on it is known to be the agent's newest. */
  hasSaidHello: boolean;
  /** Sessions it serves, known after `hello`. */
  sessions: ReadonlySet<string>;
  /** It has said that it will not come back. */
  isLeaving: boolean;
  /** At its last beat its agent did not exist any more. */
  isUnknown: boolean;
  /** Aborts when other sessions are served than the pulls held open ask for, so that they are asked anew. */
  pulls: AbortController;
  /** Aborts when the connection is over, and with it what is held open for it. */
  closed: AbortController;
}

const COMMAND_ACK_MS = 10_000;

/** The harnesses connected to this controller. Of one agent only the newest connection counts. */
@Injectable()
export class Connections {
  private readonly byAgent = new Map<string, Connection>();
  private readonly bySession = new Map<string, Connection>();

  private changed: (count: number) => void = () => undefined;

  /** Told how many harnesses are connected whenever that may have changed. */
  onChange(listener: (count: number) => void): void {
    this.changed = listener;
  }

  /** Enters a connection. Of the same incarnation the newest wins; the older one is closed without a word. */
  add(data: ConnectionData, socket: HarnessSocket): Connection {
    const before = this.byAgent.get(data.agent.agentId);
    const connection: Connection = {
      ...data,
      socket,
      id: newId('connection'),
      hasSaidHello: false,
      sessions: new Set(),
      isLeaving: false,
      isUnknown: false,
      pulls: new AbortController(),
      closed: new AbortController(),
    };
    this.byAgent.set(data.agent.agentId, connection);
    this.changed(this.byAgent.size);
    if (before !== undefined) {
      if (before.incarnation !== data.incarnation) before.socket.emit('bye', { reason: 'superseded' });
      this.close(before);
    }
    return connection;
  }

  /** The sessions it serves, beside those that were given to it meanwhile. */
  serve(connection: Connection, sessionIds: readonly string[]): void {
    connection.sessions = new Set([...connection.sessions, ...sessionIds]);
    for (const sessionId of sessionIds) this.bySession.set(sessionId, connection);
  }

  addSession(connection: Connection, sessionId: string): void {
    this.serve(connection, [sessionId]);
  }

  removeSession(connection: Connection, sessionId: string): void {
    connection.sessions = new Set([...connection.sessions].filter((id) => id !== sessionId));
    if (this.bySession.get(sessionId) === connection) this.bySession.delete(sessionId);
    this.renewPulls(connection);
  }

  /** Answers the pulls it holds with nothing: a harness holds a few only, and those would be for sessions of before. */
  renewPulls(connection: Connection): void {
    connection.pulls.abort();
    connection.pulls = new AbortController();
  }

  /** Forgets a connection; false where a newer one of the agent is there, whose entry must stay. */
  remove(connection: Connection): boolean {
    connection.closed.abort();
    for (const sessionId of connection.sessions) {
      if (this.bySession.get(sessionId) === connection) this.bySession.delete(sessionId);
    }
    if (this.byAgent.get(connection.agent.agentId) !== connection) return false;
    this.byAgent.delete(connection.agent.agentId);
    this.changed(this.byAgent.size);
    return true;
  }

  ofAgent(agentId: string): Connection | undefined {
    return this.byAgent.get(agentId);
  }

  ofSession(sessionId: string): Connection | undefined {
    return this.bySession.get(sessionId);
  }

  all(): Connection[] {
    return [...this.byAgent.values()];
  }

  /** Says goodbye and closes; a managed harness leaves for good, an autonomous one does what the reason asks. */
  dismiss(connection: Connection, reason: ByeReason): void {
    connection.socket.emit('bye', { reason });
    this.close(connection);
  }

  /** Rings a command; it stays in the outbox until it is applied, so a lost ring is no loss. */
  async deliver(connection: Connection, command: Command): Promise<void> {
    await connection.socket
      .timeout(COMMAND_ACK_MS)
      .emitWithAck('command', command)
      .catch(() => undefined);
  }

  /** Ends a connection whose harness has a newer one, without a word. */
  retire(connection: Connection): void {
    this.close(connection);
  }

  private close(connection: Connection): void {
    connection.closed.abort();
    // Lets the last message out before the transport goes.
    setImmediate(() => connection.socket.disconnect(true));
  }
}
