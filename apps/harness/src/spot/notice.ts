/** This machine goes away. */
export interface SpotNotice {
  /** When, in milliseconds since 1970, where that is said. */
  at: number | undefined;
}

/** What the same address says as long as there is nothing. */
const NOTHING = /^(false|none)?$/i;
/** Scheduled events that end the machine; others, such as a reboot, leave it and its disks where they are. */
const FINAL_EVENTS: ReadonlySet<unknown> = new Set(['Preempt', 'Terminate']);

/**
 * The notice in what a cloud's metadata service or a file says: TRUE (Google), `{action, time}` (Amazon), scheduled
 * events (Azure), or any other text that is not FALSE or NONE. Undefined where there is none.
 */
export function noticeIn(text: string): SpotNotice | undefined {
  const said = text.trim();
  if (NOTHING.test(said)) return undefined;
  const parsed = parseObject(said);
  if (parsed === undefined) return { at: undefined };
  if (Array.isArray(parsed['Events'])) return soonest(parsed['Events']);
  // Amazon's service may be asked for the time or for the whole action.
  return { at: timeOf(parsed['time'] ?? parsed['noticeTime']) };
}

function soonest(events: readonly unknown[]): SpotNotice | undefined {
  const final = events.filter((event) => isObject(event) && FINAL_EVENTS.has(event['EventType']));
  if (final.length === 0) return undefined;
  const times = final.flatMap((event) => timeOf((event as Record<string, unknown>)['NotBefore']) ?? []);
  return { at: times.length === 0 ? undefined : Math.min(...times) };
}

function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
