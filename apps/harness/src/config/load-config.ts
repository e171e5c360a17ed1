import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { type HarnessConfig, HarnessEnvironment } from './config.schema';

/** The environment is not usable; the message is one plain sentence for the person who starts the harness. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads `--env-file PATH` or `.env` in the current folder below the real environment, which wins.
 * Throws a `ConfigError` naming the first variable that is wrong and what follows from it.
 */
export function loadConfig(argv: readonly string[], environment: NodeJS.ProcessEnv, cwd: string): HarnessConfig {
  const env = { ...readEnvFile(argv, cwd), ...definedOnly(environment) };
  const parsed = HarnessEnvironment.safeParse(env);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${issue?.path.join('.') ?? 'environment'} ${issue?.message ?? 'is wrong'}`);
  }
  const values = parsed.data;
  return {
    baseUrl: values.AIWM_BASE_URL,
    agentId: values.AIWM_AGENT_ID,
    agentSecret: values.AIWM_AGENT_SECRET,
    workspace: resolve(cwd, values.REINS_WORKSPACE),
    stateDir: resolve(cwd, values.REINS_STATE_DIR),
    maxLanes: values.REINS_MAX_LANES,
    drainMs: values.REINS_DRAIN_SECONDS * 1000,
    logLevel: values.LOG_LEVEL,
    env,
  };
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
