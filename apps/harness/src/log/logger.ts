import { type Secrets } from './secrets';

export { redactUrlCredentials, Secrets } from './secrets';

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
      // Before it is JSON, where what is shown of a secret could break the line.
      const safe = JSON.stringify(line, (_, value: unknown) =>
        typeof value === 'string' ? secrets.redact(value) : value,
      );
      write(`${safe}\n`);
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
