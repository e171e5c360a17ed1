import { Injectable } from '@nestjs/common';
import { type ByeReason } from '@reins/shared/link/frames';
import { outsideRequest } from '../common/request-context';
import { Background } from './background';

/**
 * What rooms tell each other across a controller (and, with several controllers, across them). Every message is a
 * doorbell: the truth is in the database, and whoever misses one finds out by its own poll.
 */
export interface BusMessages {
  /** The agent's tokens ended: its sockets must go. */
  'agent.revoked': { orgId: string; agentId: string; reason: ByeReason };
  /** A newer incarnation was accepted: sockets of older ones must go. */
  'agent.connected': { orgId: string; agentId: string; incarnation: string };
  /** Something happened to the presence of the organisation's agents, and is stored. */
  'agent.presence': { orgId: string };
  /** The connect answer of the agent would be another one now. */
  'agent.configured': { orgId: string; agentId: string; configVersion: string };
  /** A definition was edited: whoever is configured from it has a new configuration. */
  'definition.changed': {
    orgId: string;
    kind: 'instruction' | 'tool' | 'worker' | 'skill' | 'systemInstructions';
    id: string;
  };
  /** Credentials of the organisation ended or came back: what was decided by them has to be decided again. */
  'access.revoked': { orgId: string };
  /** The agent was chosen to serve the session: whoever has its socket tells it. */
  'session.bound': { orgId: string; sessionId: string; agentId: string };
  /** The agent serves the session no more. `remove`: the session has ended for good. */
  'session.unbound': { orgId: string; sessionId: string; agentId: string; reason: string; remove: boolean };
  /** A host came, or got a free place: sessions that wait for one are looked at. */
  'host.available': { orgId: string };
  /** The session may have a turn to pull. */
  'turn.queued': { orgId: string; sessionId: string };
  /** The session has a command to deliver. */
  'command.queued': { orgId: string; sessionId: string };
}

export type BusTopic = keyof BusMessages;
export type BusHandler<T extends BusTopic> = (message: BusMessages[T]) => Promise<void> | void;

/** Delivers inside this process, in order, without waiting for the handlers. */
@Injectable()
export class Bus {
  private readonly handlers = new Map<BusTopic, Set<BusHandler<BusTopic>>>();

  constructor(private readonly background: Background) {}

  publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    for (const handler of this.handlers.get(topic) ?? []) {
      outsideRequest(() => this.background.start(`a subscriber of ${topic}`, async () => handler(message)));
    }
  }

  /** Returns the function that ends the subscription. */
  subscribe<T extends BusTopic>(topic: T, handler: BusHandler<T>): () => void {
    const handlers = this.handlers.get(topic) ?? new Set();
    this.handlers.set(topic, handlers);
    handlers.add(handler as BusHandler<BusTopic>);
    return () => void handlers.delete(handler as BusHandler<BusTopic>);
  }
}
