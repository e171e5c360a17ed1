import { type z } from 'zod';
import {
  type Bind,
  type ByeReason,
  type Command,
  CommandAck,
  CommandsPull,
  Draining,
  EventsPush,
  type EventsAck,
  Heartbeat,
  type HeartbeatAck,
  Hello,
  type LinkErrorAck,
  Ready,
  SessionFailed,
  TurnPull,
  type TurnPullAck,
  TurnReport,
  type TurnReportAck,
  type Unbind,
  type Welcome,
} from './frames';

/** Requests of the harness: the socket event's name and the schema of its body. */
export const HARNESS_FRAMES = {
  hello: Hello,
  ready: Ready,
  'session.failed': SessionFailed,
  'turn.pull': TurnPull,
  'turn.started': TurnReport,
  'turn.lost': TurnReport,
  heartbeat: Heartbeat,
  events: EventsPush,
  'commands.pull': CommandsPull,
  'command.ack': CommandAck,
  draining: Draining,
} as const;
export type HarnessFrame = keyof typeof HARNESS_FRAMES;
export type FrameBody<F extends HarnessFrame> = z.infer<(typeof HARNESS_FRAMES)[F]>;

/** What each request is answered with, unless it is a `LinkErrorAck`. */
export interface FrameAcks {
  hello: Welcome;
  ready: { ok: true };
  'session.failed': { ok: true };
  'turn.pull': TurnPullAck;
  'turn.started': TurnReportAck;
  'turn.lost': TurnReportAck;
  heartbeat: HeartbeatAck;
  events: EventsAck;
  'commands.pull': { commands: Command[] };
  'command.ack': { ok: true };
  draining: { ok: true };
}

/** socket.io typing of both directions. */
export type HarnessToController = {
  [F in HarnessFrame]: (body: FrameBody<F>, ack: (answer: FrameAcks[F] | LinkErrorAck) => void) => void;
};

export interface ControllerToHarness {
  /** Doorbell: pull turns and commands now; a new configVersion makes the harness fetch its configuration. */
  wake: (body: { configVersion?: string }) => void;
  command: (body: Command, ack: (answer: { received: true }) => void) => void;
  bind: (body: Bind, ack: (answer: { bound: true } | LinkErrorAck) => void) => void;
  unbind: (body: Unbind, ack: (answer: { ok: true } | LinkErrorAck) => void) => void;
  drain: (body: { reconnectAfterMs: number }, ack: (answer: { ok: true }) => void) => void;
  bye: (body: { reason: ByeReason; message?: string }) => void;
}
