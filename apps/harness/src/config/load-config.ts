import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { type z } from 'zod';
import {
  ControllerAddress,
  ControllerSwitch,
  Credentials,
  type HarnessConfig,
  HarnessEnvironment,
} from './config.schema';

/** The environment is not usable; the message is one plain sentence for the person who starts the harness. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads `--env-file PATH` or `.env` in the current folder below the real environment, which wins.
 * Throws a `ConfigError` naming the first variable that is wrong and what follows from it.
 */
export function loadConfig(argv: readonly string[], environment: NodeJS.ProcessEnv, cwd: string): HarnessConfig {
  const env = readEnvironment(argv, environment, cwd);
  return withCredentials(loadSettings(env, cwd), env);
}

/** Everything set: `--env-file PATH` or `.env` in the current folder below the real environment. Throws a `ConfigError`. */
export function readEnvironment(
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
  cwd: string,
): Record<string, string> {
  return { ...readEnvFile(argv, cwd), ...definedOnly(environment) };
}

/** The configuration apart from who the agent is, which a harness may have to find out first. */
export type HarnessSettings = Omit<HarnessConfig, 'agentId' | 'agentSecret'>;

/** Throws a `ConfigError`. */
export function loadSettings(env: Readonly<Record<string, string>>, cwd: string): HarnessSettings {
  const enabled = parse(ControllerSwitch, env).AIWM_ENABLED;
  const address = enabled ? parse(ControllerAddress, env) : undefined;
  const values = parse(HarnessEnvironment, env);
  return {
    enabled,
    baseUrl: address?.AIWM_BASE_URL ?? '',
    managed: values.REINS_MANAGED,
    httpTimeoutMs: values.AIWM_TIMEOUT_MS,
    retryMs: values.AIWM_RETRY_SECONDS * 1000,
    instructionFile: resolve(cwd, values.REINS_INSTRUCTION_FILE),
    workspace: resolve(cwd, values.REINS_WORKSPACE),
    stateDir: resolve(cwd, values.REINS_STATE_DIR),
    maxSessions: values.REINS_MAX_SESSIONS,
    maxLanes: values.REINS_MAX_LANES,
    drainMs: drainMs(values, env),
    spotNotice: {
      url: values.REINS_SPOT_NOTICE_URL,
      tokenUrl: values.REINS_SPOT_NOTICE_TOKEN_URL,
      file: values.REINS_SPOT_NOTICE_FILE,
      pollMs: values.REINS_SPOT_NOTICE_POLL_MS,
    },
    connectWithinMs: values.REINS_CONNECT_WITHIN_MS,
    healthHost: values.REINS_HEALTH_HOST,
    healthPort: values.REINS_HEALTH_PORT,
    alertUrl: values.REINS_ALERT_URL,
    logLevel: values.LOG_LEVEL,
    env,
  };
}

/** The older name counts where only it is set. */
function drainMs(
  { REINS_DRAIN_MS, REINS_DRAIN_SECONDS }: z.output<typeof HarnessEnvironment>,
  env: Readonly<Record<string, string>>,
): number {
  const isOlder = REINS_DRAIN_SECONDS !== undefined && env['REINS_DRAIN_MS'] === undefined;
  return isOlder ? REINS_DRAIN_SECONDS * 1000 : REINS_DRAIN_MS;
}

/** Who the agent is, without a controller nobody. Throws a `ConfigError`. */
export function withCredentials(settings: HarnessSettings, env: Readonly<Record<string, string>>): HarnessConfig {
  const credentials = settings.enabled ? parse(Credentials, env) : undefined;
  return {
    ...settings,
    agentId: credentials?.AIWM_AGENT_ID ?? '',
    agentSecret: credentials?.AIWM_AGENT_SECRET ?? '',
  };
}

function parse<T extends z.ZodType>(schema: T, env: Readonly<Record<string, string>>): z.output<T> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ConfigError(`${issue?.path.join('.') ?? 'environment'} ${issue?.message ?? 'is wrong'}`);
}

function readEnvFile(argv: readonly string[], cwd: string): Record<string, string> {
  const named = envFileArgument(argv);
  try {
    return definedOnly(parseEnv(readFileSync(resolve(cwd, named ?? '.env'), 'utf8')));
  } catch (error) {
    if (named === undefined) return {};
    throw new ConfigError(
      `--env-file ${named} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}): ` +
        'the harness would start without its credentials',
    );
  }
}

function envFileArgument(argv: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...argv], options: { 'env-file': { type: 'string' } } }).values['env-file'];
  } catch (error) {
    throw new ConfigError(`the command line is not understood: ${(error as Error).message}`);
  }
}

/** An empty variable counts as not set, because that is how people switch a variable off. */
function definedOnly(values: NodeJS.Dict<string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}
