import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type LaunchRequest } from '../launcher.port';

/**
 * The environment of a launched harness: the variables named by HARNESS_ENV and what identifies it, nothing else of the
 * controller's own, which holds its secrets.
 */
export function harnessEnvironment(
  own: NodeJS.ProcessEnv,
  passed: readonly string[],
  { baseUrl, credentials }: Required<Pick<LaunchRequest, 'baseUrl' | 'credentials'>>,
  folders: { workspace: string; stateDir: string },
): Record<string, string> {
  const chosen = passed.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]]));
  return {
    ...(Object.fromEntries(chosen) as Record<string, string>),
    [HARNESS_ENV.baseUrl]: baseUrl,
    [HARNESS_ENV.agentId]: credentials.agentId,
    [HARNESS_ENV.agentSecret]: credentials.secret,
    [HARNESS_ENV.workspace]: folders.workspace,
    [HARNESS_ENV.stateDir]: folders.stateDir,
    [HARNESS_ENV.managed]: 'true',
    // It is ended STOP_GRACE_MS after it was asked to leave.
    REINS_DRAIN_MS: '10000',
  };
}
