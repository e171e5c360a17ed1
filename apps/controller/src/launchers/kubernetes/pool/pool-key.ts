import { createHash } from 'node:crypto';
import { type SessionPod } from '../../launcher.port';

const DIGITS = 20;

/**
 * Names all pods that are made alike: what a session asks for and a warm pod was made with have to agree in everything
 * that shapes a pod, its network policy included.
 */
export function poolKeyOf({ cluster, image, settings }: SessionPod, baseUrl: string): string {
  const shape = JSON.stringify(ordered({ cluster, image, settings, baseUrl }));
  return createHash('sha256').update(shape).digest('hex').slice(0, DIGITS);
}

/** Equal for equal values, however their keys were written; what is undefined or empty is as if it were not there. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .map(([key, item]) => [key, ordered(item)] as const)
    .filter(([, item]) => item !== undefined && !isEmpty(item))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries);
}

/** An empty list is not nothing: no egress at all is not the default one. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
