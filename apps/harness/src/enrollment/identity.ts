import { hostname } from 'node:os';
import { type EnrollBody } from '@reins/shared/api/enrollment';
import { LINK } from '@reins/shared/link/limits';
import { ConfigError } from '../config/load-config';
import { type Logger } from '../log/logger';
import { credentialsPath, readCredentials, type StoredCredentials, writeCredentials } from './credentials-file';
import { enrollmentKey, forgetEnrollmentKey } from './enrollment-key';
import { codeOf } from './private-file';

/** Who the harness is. `file`: where its credentials are kept, absent where they come from the environment. */
export interface Identity {
  variables: { AIWM_AGENT_ID: string; AIWM_AGENT_SECRET: string } | Record<string, never>;
  file?: string;
}

export interface IdentityOptions {
  /** Whether there is a controller at all. */
  enabled: boolean;
  /** Started by a launcher for one session, which gives it its credentials. */
  managed: boolean;
  /** Everything set, `.env` included. */
  env: Readonly<Record<string, string>>;
  stateDir: string;
  baseUrl: string;
  version: string;
  supportedTypes: readonly string[];
  capacity: number;
  log: Logger;
  signal: AbortSignal;
  /** Told of what no log line may contain. */
  onSecret: (secret: string) => void;
}

const FROM_ENVIRONMENT: Identity = { variables: {} };

/**
 * Credentials by precedence: the environment, else the file of an earlier registration, else a registration, which is
 * written down before it is used. An agent that was deleted is never registered anew by itself: its file stands in the way.
 * Rejects with a ConfigError or an EnrollmentRefused.
 */
export async function establishIdentity(options: IdentityOptions): Promise<Identity> {
  const { env, stateDir, baseUrl, log, onSecret } = options;
  const agentId = env['AIWM_AGENT_ID'];
  if (!options.enabled || options.managed || env['AIWM_AGENT_SECRET'] !== undefined) return FROM_ENVIRONMENT;
  const file = credentialsPath(stateDir);
  const stored = readCredentials(file);
  if (stored !== undefined) {
    if (agentId !== undefined && agentId.toLowerCase() !== stored.agentId.toLowerCase()) {
      throw new ConfigError(
        `AIWM_AGENT_ID names another agent than ${file}: ` +
          'unset it to be the agent of the file, or set AIWM_AGENT_SECRET too to be the one it names',
      );
    }
    if (stored.baseUrl !== baseUrl) log.warn('the agent registered at another address', { was: stored.baseUrl });
    return identityOf(stored, file, onSecret);
  }
  // Loaded by those who register only: the others start without it.
  const [{ enroll }, { enrollmentEnvironment }] = await Promise.all([
    import('./enroll'),
    import('./enrollment-environment'),
  ]);
  const wish = enrollmentEnvironment(env);
  if (wish === undefined) return FROM_ENVIRONMENT;
  if (agentId !== undefined) {
    throw new ConfigError(
      'AIWM_AGENT_ID is set without AIWM_AGENT_SECRET: REINS_ENROLLMENT_TOKEN makes a new agent and cannot be that one',
    );
  }
  onSecret(wish.token);
  const body: EnrollBody = {
    token: wish.token,
    enrollmentKey: enrollmentKey(stateDir),
    ...(wish.name === undefined ? {} : { name: wish.name }),
    host: hostname(),
    labels: wish.labels,
    supportedTypes: [...options.supportedTypes],
    capacity: options.capacity,
    harness: { version: options.version, protocol: [LINK.protocol, LINK.protocol] },
  };
  const { agentId: newId, secret, orgId, name } = await enroll({ baseUrl, body, log, signal: options.signal });
  onSecret(secret);
  const credentials = { agentId: newId, secret, orgId, name, baseUrl, enrolledAt: new Date().toISOString() };
  try {
    writeCredentials(file, credentials);
  } catch (error) {
    throw new ConfigError(
      `${file} cannot be written (${codeOf(error)}): the harness registered but could not remember it; ` +
        'started again with the same REINS_STATE_DIR it gets the same agent',
    );
  }
  forgetEnrollmentKey(stateDir);
  log.info('registered as a new agent', { agentId: newId, name });
  return identityOf(credentials, file, onSecret);
}

function identityOf(
  { agentId, secret }: StoredCredentials,
  file: string,
  onSecret: (secret: string) => void,
): Identity {
  onSecret(secret);
  return { variables: { AIWM_AGENT_ID: agentId, AIWM_AGENT_SECRET: secret }, file };
}
