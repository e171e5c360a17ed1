export type Json = Record<string, unknown>;

/** Readers for lines of a shape that another program decides: what is missing or of another type reads as empty. */
export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const objects = (value: unknown): Json[] => (Array.isArray(value) ? value.map(asObject) : []);
export const asText = (value: unknown): string => (typeof value === 'string' ? value : '');
export const asNumber = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

/** A line as an object; undefined for anything else, such as a warning that some library printed to stdout. */
export function parseLine(line: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

export const userMessage = (prompt: string): string =>
  JSON.stringify({ type: 'user', message: { role: 'user', content: prompt } });

export const interruptRequest = (requestId: string): string =>
  JSON.stringify({ type: 'control_request', request_id: requestId, request: { subtype: 'interrupt' } });

/** Answer to a question of the CLI that this driver has no answer for; without one the CLI would wait forever. */
export const controlRefusal = (requestId: string): string =>
  JSON.stringify({
    type: 'control_response',
    response: { subtype: 'error', request_id: requestId, error: 'not supported by this harness' },
  });
