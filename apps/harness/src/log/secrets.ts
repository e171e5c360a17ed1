/** How much of a secret may appear in a log. */
const VISIBLE_CHARACTERS = 10;
/** From here on ten characters are at most half of it; of a shorter one a quarter is shown. */
const LONG = 20;
/** A shorter text would be cut out of innocent words all over the line. */
const SHORTEST = 4;
/** The same where only a name says that it is a secret. */
const SHORTEST_NAMED = 8;
const DEEPEST = 6;

const SECRET_NAME = /(token|secret|passw(or)?d|passphrase|api[-_]?key|private[-_]?key|authorization|credentials?)$/i;

/** Secrets that are known by their looks, wherever they come from. What is in the first group may stay. */
const LOOKS: readonly RegExp[] = [
  // JSON Web Tokens.
  /(eyJ[\w-]{7})[\w-]*\.[\w-]+\.[\w-]*/g,
  /(\bbearer\s+[\w.~+/=-]{0,10})[\w.~+/=-]*/gi,
  // Telegram's bot tokens, alone and in an address of its API.
  /((?:\b|bot)\d{6,10}:)[\w-]{30,}/g,
  // Discord's bot tokens.
  /(\b[MNO][\w-]{9})[\w-]{12,}\.[\w-]{5,}\.[\w-]{25,}/g,
  // Keys of model providers.
  /(\b(?:sk|pk|rk)-[\w-]{7})[\w-]{10,}/g,
];

/** Texts no line may contain in full: the agent's secret, its tokens, those of its platforms and providers. */
export class Secrets {
  /** The longest first, so that a secret that begins with another is not cut at the shorter one's end. */
  private values: { value: string; shown: string }[] = [];

  add(value: string | undefined): void {
    if (value === undefined || value.length < SHORTEST) return;
    for (const form of new Set([value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)])) {
      if (!this.values.some((known) => known.value === form)) this.values.push({ value: form, shown: shorten(form) });
    }
    this.values.sort((a, b) => b.value.length - a.value.length);
  }

  /** Every text below a name that sounds like a secret: of an environment, of settings, of headers. */
  addNamed(values: unknown, depth = 0): void {
    if (typeof values !== 'object' || values === null || depth > DEEPEST) return;
    for (const [name, value] of Object.entries(values)) {
      if (typeof value !== 'string') this.addNamed(value, depth + 1);
      else if (value.length >= SHORTEST_NAMED && SECRET_NAME.test(name)) this.add(value.replace(/^bearer\s+/i, ''));
    }
  }

  redact(line: string): string {
    let safe = line;
    for (const { value, shown } of this.values) safe = safe.replaceAll(value, shown);
    for (const look of LOOKS) safe = safe.replace(look, '$1…');
    return redactUrlCredentials(safe);
  }
}

function shorten(secret: string): string {
  return `${secret.slice(0, secret.length >= LONG ? VISIBLE_CHARACTERS : Math.floor(secret.length / 4))}…`;
}

/** `https://user:password@host` becomes `https://***@host`. */
export function redactUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, '$1***@');
}
