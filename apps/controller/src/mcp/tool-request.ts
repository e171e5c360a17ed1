import { type ToolExecution } from '@reins/shared/api/tools';

export interface ToolRequest {
  method: ToolExecution['method'];
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
}

/** The arguments cannot be put into the request. */
export class UnfitArguments extends Error {
  override readonly name = 'UnfitArguments';
}

const PLACEHOLDER = /\{([^{}]+)\}/g;

/**
 * The request that a call of an `api` tool stands for: arguments named in the path go there, the others into the query
 * of GET and DELETE, else into a JSON body. Throws UnfitArguments; no argument can lead to another path than its own
 * segment of it.
 */
export function toolRequest(execution: ToolExecution, given: Record<string, unknown>): ToolRequest {
  const { method, baseUrl, path, headers } = execution;
  const inPath = new Set<string>();
  const filled = path.replace(PLACEHOLDER, (_, name: string) => {
    inPath.add(name);
    return segment(name, Object.hasOwn(given, name) ? given[name] : undefined);
  });
  const url = new URL(baseUrl);
  const whole = url.pathname.replace(/\/+$/, '') + filled;
  url.pathname = whole;
  if (climbs(filled)) throw new UnfitArguments('the path must not contain . or .. as a segment');
  const others = Object.entries(given).filter(([name, value]) => !inPath.has(name) && value !== undefined);
  if (method !== 'GET' && method !== 'DELETE') {
    const body = JSON.stringify(Object.fromEntries(others));
    return { method, url, headers: { 'Content-Type': 'application/json', ...headers }, body };
  }
  for (const [name, value] of others) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (item !== null) url.searchParams.append(name, typeof item === 'string' ? item : JSON.stringify(item));
    }
  }
  return { method, url, headers, body: undefined };
}

function segment(name: string, value: unknown): string {
  if (!['string', 'number', 'boolean'].includes(typeof value) || value === '') {
    throw new UnfitArguments(`${name} is required: it is part of the path`);
  }
  try {
    return encodeURIComponent(String(value));
  } catch (error) {
    throw new UnfitArguments(`${name} is not valid text`, { cause: error });
  }
}

/** Whether a server, or what stands before it, would take a segment for the folder above. */
function climbs(path: string): boolean {
  return path.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part));
}
