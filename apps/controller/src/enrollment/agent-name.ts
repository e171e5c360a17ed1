const MAX_NAME = 100;
/** Where neither the harness nor its machine has a name. */
const NAMELESS_HOST = 'agent';

/** The name of an agent that brought none. `n` counts the token's uses from 1. At most 100 characters, never empty. */
export function nameFromTemplate(template: string, { host, n }: { host: string | undefined; n: number }): string {
  const values: Record<string, string> = { host: host === undefined || host === '' ? NAMELESS_HOST : host, n: `${n}` };
  // One pass, so that braces in a host name are not read as placeholders.
  const name = template.replace(/\{(host|n)\}/g, (_, placeholder: string) => values[placeholder] ?? '').trim();
  if (name === '') return `${NAMELESS_HOST}-${n}`;
  if (name.length <= MAX_NAME) return name;
  // The end keeps the number that tells agents of one machine apart.
  const tail = `-${n}`;
  return name.slice(0, MAX_NAME - tail.length) + tail;
}
