import { join } from 'node:path';
import { type DriverContext } from '../driver.port';
import { type ClaudeOptions } from './options';

/** Where Claude Code keeps its settings and conversations of this session. */
export const claudeConfigDir = (stateDir: string): string => join(stateDir, 'claude');

type Source = Pick<DriverContext, 'env' | 'stateDir'>;

/** The CLI's environment: the chosen one, with everything off that phones home or updates itself. */
export function claudeEnvironment(
  { env, stateDir }: Source,
  options: ClaudeOptions,
  isRoot = process.getuid?.() === 0,
): Record<string, string> {
  return {
    ...env,
    CLAUDE_CONFIG_DIR: claudeConfigDir(stateDir),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    DISABLE_TELEMETRY: '1',
    // The CLI refuses to skip permissions as root unless told that it runs in a container.
    ...(isRoot ? { IS_SANDBOX: '1' } : {}),
    ...(options.oauthToken !== undefined ? { CLAUDE_CODE_OAUTH_TOKEN: options.oauthToken } : {}),
  };
}
