/** Lines between the driver and its child: JSON, one a line. They are the child's word only, never trusted further. */
export type ChildMessage =
  | { type: 'ready' }
  | { type: 'console'; level: ConsoleLevel; text: string }
  | { type: 'value'; text: string; valueType: string; json?: unknown }
  | { type: 'exception'; name: string; message: string; stack?: string }
  | { type: 'done'; run: number; reason: 'complete' | 'exception' | LimitReason };

/** From the watchdog, on its own channel, so that it arrives also when the main thread never answers again. */
export interface LimitMessage {
  type: 'limit';
  run: number;
  reason: LimitReason;
}

export type RunRequest = { type: 'run'; run: number; source: string } & RunLimits;
export type DriverMessage = RunRequest | { type: 'abort'; run: number };

export interface RunLimits {
  cpuMs: number;
  wallMs: number;
  /** Memory of the whole process, above which it is killed. */
  residentBytes: number;
}

export const CONSOLE_LEVELS = ['log', 'info', 'warn', 'error', 'debug'] as const;
export type ConsoleLevel = (typeof CONSOLE_LEVELS)[number];
export type LimitReason = 'cpu_limit' | 'wall_limit' | 'memory_limit' | 'aborted';

/** Between the two threads of the child. */
export type ToMain =
  { type: 'run'; run: number; source: string } | { type: 'expire'; run: number; reason: LimitReason };
export interface ToWatchdog {
  type: 'over';
  run: number;
}

/** File descriptors of the child beyond stdin, stdout and stderr. */
export const EVENTS_FD = 3;
export const CONTROL_FD = 4;
export const CHILD_ARGUMENT = '--javascript-child';

/** Texts beyond this many characters are cut, with a note that says so. */
export const MAX_TEXT = 1024 * 1024;

export function cutText(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)}… [${text.length - MAX_TEXT} more characters]`;
}
