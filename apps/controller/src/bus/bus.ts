import { Injectable, Optional } from '@nestjs/common';
import { type ByeReason } from '@reins/shared/link/frames';
import { outsideRequest } from '../common/request-context';
import { Background } from './background';
import { SharedBus } from './shared-bus';

/**
 * What rooms tell each other across a controller and, with several controllers, across them. Every message is a
 * doorbell: the truth is in the database, and whoever misses one finds out by its own poll.
 */
export interface BusMessages {
  /** The agent's tokens ended: its sockets must go. */
  'agent.revoked': { orgId: string; agentId: string; reason: ByeReason };
  /** A newer incarnation was accepted: sockets of older ones must go. */
  'agent.connected': { orgId: string; agentId: string; incarnation: string };
  /** A socket of the agent said hello: an older one of the same process, wherever it is, must go. */
  'agent.attached': { orgId: string; agentId: string; connectionId: string };
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
  /** The turn left this generation: it has ended or is queued again. */
  'turn.released': { orgId: string; turnId: string; generation: number };
  /** The session has a command to deliver. */
  'command.queued': { orgId: string; sessionId: string };
  /** A harness beside the controllers of the place is to be stopped. */
  'harness.unwanted': {
    orgId: string;
    sessionId: string;
    launchId: string;
    place: string;
    reason: string;
    final: boolean;
  };
  /** The command was applied. */
  'command.applied': { orgId: string; commandId: string };
  /** Somebody follows the session's log. */
  'log.followed': { sessionId: string };
  /** The warm pod was taken for a session, or is to go: whoever holds its question answers it. */
  'pool.claimed': { warmPodId: string };
  /** The warm pods of a runtime are not as many as they should be. */
  'pool.changed': { runtimeId: string };
  /** A controller came or went. */
  'replicas.changed': { replicaId: string };
  /** The lead is free to be taken. */
  'leader.resigned': { replicaId: string };
}

export type BusTopic = keyof BusMessages;
export type BusHandler<T extends BusTopic> = (message: BusMessages[T]) => Promise<void> | void;

/** Whose messages a subscriber gets: everyone's, this controller's own, or those of the other controllers. */
export type BusSource = 'anywhere' | 'here' | 'elsewhere';

interface Subscription {
  handler: BusHandler<BusTopic>;
  source: BusSource;
}

/** Delivers in this process, in order and without waiting for the handlers, and to the other controllers through Redis. */
@Injectable()
export class Bus {
  private readonly subscriptions = new Map<BusTopic, Set<Subscription>>();

  constructor(
    private readonly background: Background,
    @Optional() private readonly shared?: SharedBus,
  ) {
    shared?.receive((topic, message) => this.deliver(topic as BusTopic, message as BusMessages[BusTopic], 'elsewhere'));
  }

  /** Whether there is a way to other controllers at all. */
  get isShared(): boolean {
    return this.shared?.isConfigured === true;
  }

  /** Whether other controllers hear this one now. Where they do not, everybody has to look more often. */
  get isHeard(): boolean {
    return this.shared?.isUp === true;
  }

  /** Never blocks and never throws: a message that does not get through is made up for by polls. */
  publish<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    this.deliver(topic, message, 'here');
    this.shared?.send(topic, message);
  }

  /** For what was found to be stored here: nobody else has to hear it. */
  ring<T extends BusTopic>(topic: T, message: BusMessages[T]): void {
    this.deliver(topic, message, 'here');
  }

  /** Returns the function that ends the subscription. */
  subscribe<T extends BusTopic>(topic: T, handler: BusHandler<T>, source: BusSource = 'anywhere'): () => void {
    const subscriptions = this.subscriptions.get(topic) ?? new Set();
    this.subscriptions.set(topic, subscriptions);
    const subscription = { handler: handler as BusHandler<BusTopic>, source };
    subscriptions.add(subscription);
    return () => void subscriptions.delete(subscription);
  }

  private deliver(topic: BusTopic, message: BusMessages[BusTopic], from: 'here' | 'elsewhere'): void {
    for (const { handler, source } of this.subscriptions.get(topic) ?? []) {
      if (source !== 'anywhere' && source !== from) continue;
      outsideRequest(() => this.background.start(`a subscriber of ${topic}`, async () => handler(message)));
    }
  }
}
