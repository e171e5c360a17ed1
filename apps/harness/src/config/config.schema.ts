import { z } from 'zod';

/**
 * One schema each, not a chain of checks: a harness is started for every session, and every link of such a chain is
 * another schema made at its start.
 */
const parsed = <T>(parse: (text: string) => T | { problem: string }) =>
  z.string().transform((text, context): T => {
    const value = parse(text);
    if (typeof value !== 'object' || value === null || !('problem' in value)) return value;
    context.addIssue({ code: 'custom', message: value.problem });
    return z.NEVER;
  });

const wholeNumber = (consequence: string, min: number, max: number) =>
  parsed<number>((text) => {
    const value = Number(text);
    const fault = Number.isNaN(value)
      ? 'must be a number'
      : !Number.isInteger(value)
        ? 'must be a whole number'
        : value < min
          ? `must be at least ${min}`
          : value > max && `must be at most ${max}`;
    return fault === false ? value : { problem: `${fault}: ${consequence}` };
  });

const flag = (consequence: string) =>
  parsed<boolean>((text) => {
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    return /^(false|0|no|off)$/i.test(text) ? false : { problem: `must be true or false: ${consequence}` };
  });

const healthPort = parsed<number | 'off'>((text) => {
  if (/^off$/i.test(text)) return 'off';
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  return { problem: 'must be off or a port from 0 to 65535: /health and /metrics would listen nowhere' };
});

const address = (error: string): z.ZodType<string> => z.url({ protocol: /^https?$/, error });

export const ControllerSwitch = z.object({
  AIWM_ENABLED: flag('the harness must know whether there is to be a controller').default(true),
});

/** Where the controller is. Each message says what goes wrong without the value. */
export const ControllerAddress = z.object({
  AIWM_BASE_URL: address(
    'must be an http or https address: without it the harness does not know its controller',
  ).transform((url) => url.replace(/\/+$/, '')),
});

/** Who the harness is, unless it registers itself. */
export const Credentials = z.object({
  AIWM_AGENT_ID: z
    .string('is missing: without it the harness does not know which agent it is')
    .regex(/^[0-9a-f]{24}$/i, 'must be 24 hexadecimal digits: the controller knows no other agents'),
  AIWM_AGENT_SECRET: z
    .string('is missing: without it the controller refuses the connection')
    .min(1, 'is empty: the controller would refuse the connection'),
});

/** The rest of the harness's environment, the same with and without a controller. */
export const HarnessEnvironment = z.object({
  AIWM_TIMEOUT_MS: wholeNumber('it limits how long an answer of the controller is awaited', 100, 600_000).default(
    10_000,
  ),
  AIWM_RETRY_SECONDS: wholeNumber('it says how often an absent controller is looked for', 1, 86_400).default(300),
  REINS_INSTRUCTION_FILE: z.string().default('./instruction.md'),
  REINS_WORKSPACE: z.string().min(1, 'is empty: the agent would have no folder to work in').default('./workspace'),
  REINS_STATE_DIR: z.string().min(1, 'is empty: events could not be spooled to disk').default('./.reins'),
  REINS_MAX_SESSIONS: wholeNumber(
    'it limits how many sessions an autonomous agent is given at once',
    0,
    10_000,
  ).default(4),
  REINS_MAX_LANES: wholeNumber('it limits how many turns of one session run at once', 1, 256).default(8),
  REINS_DRAIN_MS: wholeNumber('it limits how long running turns may go on after SIGTERM', 0, 86_400_000).default(
    20_000,
  ),
  REINS_DRAIN_SECONDS: wholeNumber('it limits how long running turns may go on after SIGTERM', 0, 3600).optional(),
  REINS_SPOT_NOTICE_URL: address(
    'must be an http or https address: the end of this machine would come unannounced',
  ).optional(),
  REINS_SPOT_NOTICE_TOKEN_URL: address(
    'must be an http or https address: without its token the notice cannot be read',
  ).optional(),
  REINS_SPOT_NOTICE_FILE: z.string().optional(),
  REINS_SPOT_NOTICE_POLL_MS: wholeNumber('it says how often a notice is looked for', 100, 600_000).default(5_000),
  REINS_CONNECT_WITHIN_MS: wholeNumber(
    'it limits how long a harness made for one session looks for its controller',
    1_000,
    86_400_000,
  ).default(300_000),
  REINS_TERMINATION_LOG: z.string().optional(),
  REINS_HEALTH_HOST: z.string().default('127.0.0.1'),
  REINS_HEALTH_PORT: healthPort.optional(),
  REINS_ALERT_URL: address('must be an http or https address: nobody would hear of an alert').optional(),
  REINS_MANAGED: flag('a harness made for one session behaves differently from one that stays').default(false),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error: nothing else can be logged at')
    .default('info'),
});

export interface SpotNoticeSettings {
  url: string | undefined;
  /** Where the password for `url` is fetched first. */
  tokenUrl: string | undefined;
  file: string | undefined;
  pollMs: number;
}

export interface HarnessConfig {
  /** False where no controller is ever contacted; then the three below may be empty. */
  enabled: boolean;
  baseUrl: string;
  agentId: string;
  agentSecret: string;
  /** Started by a launcher for one session: it has no work without its controller. */
  managed: boolean;
  httpTimeoutMs: number;
  /** How often a controller that was away at the start is looked for. */
  retryMs: number;
  /** What the agent is told while the controller's instruction cannot be had; need not exist. */
  instructionFile: string;
  workspace: string;
  stateDir: string;
  /** Sessions an autonomous agent takes at once; one made for a session has that one. */
  maxSessions: number;
  maxLanes: number;
  drainMs: number;
  /** Where a cloud says that this machine goes away; nowhere by default. */
  spotNotice: SpotNoticeSettings;
  /** How long one made for a session looks for its controller before it gives up. */
  connectWithinMs: number;
  healthHost: string;
  /** Undefined: the usual port, or any where that is taken. 0: any free port. */
  healthPort: number | 'off' | undefined;
  alertUrl: string | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Everything set, `.env` included, for what drivers read by precedence and for the chosen environment of children. */
  env: Readonly<Record<string, string>>;
}
