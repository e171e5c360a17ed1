import { z } from 'zod';

interface Bounds {
  maxDepth: number;
  maxBytes: number;
  /** For what is stored as text: no key can harm there. */
  anyKeys?: boolean;
}

/**
 * A JSON object of the caller's own making that is stored as it is: not nested or sized so that storing it fails, and
 * without keys that a database or a prototype would take for more than a name.
 */
export function storedJson(bounds: Bounds) {
  return z.record(z.string(), z.unknown()).superRefine((value, context) => {
    const problem = storageProblem(value, bounds);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
}

/** Walks with a list of its own: a value nested a million times must not end in a stack overflow. */
function storageProblem(root: unknown, { maxDepth, maxBytes, anyKeys = false }: Bounds): string | undefined {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > maxDepth) return `must not be nested deeper than ${maxDepth} levels`;
    for (const [key, child] of Object.entries(value)) {
      if (!anyKeys && !isStorableKey(key)) return 'keys must not be empty, start with $ or contain a NUL';
      open.push({ value: child, depth: depth + 1 });
    }
  }
  return Buffer.byteLength(JSON.stringify(root)) > maxBytes ? `must have at most ${maxBytes} bytes as JSON` : undefined;
}

function isStorableKey(key: string): boolean {
  return key !== '' && key !== '__proto__' && !key.startsWith('$') && !key.includes('\0');
}
