import { type AlertEvent } from './alert';

/** How the process ends, for whoever started it. */
export const EXIT = {
  /** Drained, the session ended, or a newer harness of a managed agent took over. */
  ok: 0,
  /** The controller refuses this agent, or an autonomous agent was superseded. */
  refused: 1,
  /** The environment is not usable. */
  configuration: 2,
  /** One made for a session never reached its controller. */
  unreachable: 69,
  /** A fault of the harness itself. */
  fault: 70,
  /** The session's workspace could not be made. */
  workspace: 78,
} as const;

export interface Exit {
  code: number;
  /** One plain sentence for stderr, where there is something to say. */
  message?: string;
  /** What an administrator should hear of. */
  alert?: AlertEvent;
}
