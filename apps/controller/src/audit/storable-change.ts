import { maskSecrets } from '../common/mask-secrets';

type Fields = Record<string, unknown> | null;

export interface StorableChange {
  before: Fields;
  after: Fields;
}

/** Longer texts are cut: the trail tells that an instruction changed and how it began, not the whole of it twice. */
const MOST_CHARACTERS = 4_096;
const CREDENTIAL =
  /\b(?:rk|rv|re)_[A-Za-z0-9_-]{20,}|\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+|\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}/g;

/** The fields that differ, fit for storing: as JSON has them, secrets masked, long texts cut. */
export function storableChange(before: object | null | undefined, after: object | null | undefined): StorableChange {
  const changed = differences(plain(before), plain(after));
  return { before: safe(changed.before), after: safe(changed.after) };
}

/** As JSON has it: dates as text, nothing undefined. */
function plain(view: object | null | undefined): Fields {
  return view === undefined || view === null ? null : (JSON.parse(JSON.stringify(view)) as Record<string, unknown>);
}

function differences(before: Fields, after: Fields): StorableChange {
  if (before === null || after === null) return { before, after };
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...keys].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const pick = (fields: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(changed.filter((key) => key in fields).map((key) => [key, fields[key]]));
  return { before: pick(before), after: pick(after) };
}

function safe(fields: Fields): Fields {
  return fields === null ? null : (withoutCredentials(maskSecrets(fields)) as Record<string, unknown>);
}

/** Masks credentials of ours that somebody put into a text, and cuts what is too long. */
function withoutCredentials(value: unknown): unknown {
  if (typeof value === 'string') {
    const masked = value.replace(CREDENTIAL, '***');
    if (masked.length <= MOST_CHARACTERS) return masked;
    return `${masked.slice(0, MOST_CHARACTERS)}… (${value.length} characters)`;
  }
  if (Array.isArray(value)) return value.map(withoutCredentials);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutCredentials(child)]));
}
