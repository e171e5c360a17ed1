import { z } from 'zod';

const wholeNumber = (consequence: string, min: number, max: number): z.ZodType<number> =>
  z.coerce
    .number(`must be a number: ${consequence}`)
    .int(`must be a whole number: ${consequence}`)
    .min(min, `must be at least ${min}: ${consequence}`)
    .max(max, `must be at most ${max}: ${consequence}`);

/** The harness's environment. Each message says what goes wrong without the value. */
export const HarnessEnvironment = z.object({
  AIWM_BASE_URL: z
    .url({
      protocol: /^https?$/,
      error: 'must be an http or https address: without it the harness does not know its controller',
    })
    .transform((url) => url.replace(/\/+$/, '')),
  AIWM_AGENT_ID: z
    .string('is missing: without it the harness does not know which agent it is')
    .regex(/^[0-9a-f]{24}$/i, 'must be 24 hexadecimal digits: the controller knows no other agents'),
  AIWM_AGENT_SECRET: z
    .string('is missing: without it the controller refuses the connection')
    .min(1, 'is empty: the controller would refuse the connection'),
  REINS_WORKSPACE: z.string().min(1, 'is empty: the agent would have no folder to work in').default('./workspace'),
  REINS_STATE_DIR: z.string().min(1, 'is empty: events could not be spooled to disk').default('./.reins'),
  REINS_MAX_LANES: wholeNumber('it limits how many turns of one session run at once', 1, 256).default(8),
  REINS_DRAIN_SECONDS: wholeNumber('it limits how long running turns may go on after SIGTERM', 0, 3600).default(10),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error: nothing else can be logged at')
    .default('info'),
});

export interface HarnessConfig {
  baseUrl: string;
  agentId: string;
  agentSecret: string;
  workspace: string;
  stateDir: string;
  maxLanes: number;
  drainMs: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** Everything set, `.env` included, for what drivers read by precedence and for the chosen environment of children. */
  env: Readonly<Record<string, string>>;
}
