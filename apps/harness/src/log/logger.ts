const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** Ids that tie lines of several programs together, and small facts. */
type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}

/** How much of a secret may appear in a log. */
const VISIBLE_CHARACTERS = 10;

/** Texts no line may contain in full: the agent's secret, its tokens. */
export class Secrets {
  private readonly values = new Set<string>();

  add(value: string | undefined): void {
    if (value !== undefined && value.length > VISIBLE_CHARACTERS) this.values.add(value);
  }

  redact(line: string): string {
    let safe = line;
    for (const value of this.values) safe = safe.replaceAll(value, `${value.slice(0, VISIBLE_CHARACTERS)}…`);
    return redactUrlCredentials(safe);
  }
}

/** `https://user:password@host` becomes `https://***@host`. */
export function redactUrlCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, '$1***@');
}

export interface LoggerOptions {
  level: LogLevel;
  secrets: Secrets;
  fields?: LogFields;
  write?: (line: string) => void;
}

/** One JSON object a line on stderr: time, level, msg, then the fields. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, secrets, fields = {}, write = (line) => process.stderr.write(line) } = options;
  const threshold = LOG_LEVELS.indexOf(level);
  const at =
    (own: LogLevel) =>
    (message: string, more?: LogFields): void => {
      if (LOG_LEVELS.indexOf(own) < threshold) return;
      const line = { time: new Date().toISOString(), level: own, msg: message, ...fields, ...more };
      write(`${secrets.redact(JSON.stringify(line))}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => createLogger({ level, secrets, write, fields: { ...fields, ...more } }),
  };
}

/** What an unknown thrown value says, for a log line. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
