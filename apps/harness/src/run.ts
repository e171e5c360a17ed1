import { join } from 'node:path';
import { newId } from '@reins/shared/ids';
import { HARNESS_ENV } from '@reins/shared/link/limits';
import { type HarnessConfig } from './config/config.schema';
import { ConfigError, loadSettings, readEnvironment, withCredentials } from './config/load-config';
import { loadDriver, SUPPORTED_TYPES } from './drivers/registry';
import { EnrollmentRefused } from './enrollment/enrollment-refused';
import { establishIdentity, type Identity } from './enrollment/identity';
import { Harness } from './harness';
import { observe } from './health/observe';
import { sendAlert } from './lifecycle/alert';
import { killAllGroups } from './lifecycle/child';
import { EXIT } from './lifecycle/exit-codes';
import { prepareFolders } from './lifecycle/folders';
import { keepPidFilesIn, killLeftovers } from './lifecycle/pid-files';
import { writeTermination } from './lifecycle/termination-log';
import { createLogger, describeError, redactUrlCredentials, Secrets } from './log/logger';
import { ClientCounters } from './metrics/counters';
import { PoolOver } from './pool/pool-over';
import { VERSION } from './version';

/** Past the drain time the process goes, whatever still runs. */
const FORCED_EXIT_MARGIN_MS = 8_000;

/** After a second signal: long enough to interrupt an agent and to say so. */
const HURRY_MS = 4_000;

/** `message` holds no secrets. */
function quit(code: number, message?: string): never {
  killAllGroups();
  if (message !== undefined) process.stderr.write(`reins-harness: ${message}\n`);
  if (code !== EXIT.ok && message !== undefined) writeTermination(process.env[HARNESS_ENV.terminationLog], message);
  process.exit(code);
}

/** The configuration, once it is known who this harness is: it may have to register itself first. */
async function configuration(
  secrets: Secrets,
  incarnation: string,
  signal: AbortSignal,
): Promise<{ config: HarnessConfig } & Identity> {
  const env = readEnvironment(process.argv.slice(2), process.env, process.cwd());
  const settings = loadSettings(env, process.cwd());
  prepareFolders({
    REINS_WORKSPACE: settings.workspace,
    REINS_STATE_DIR: settings.stateDir,
    ...(env['HOME'] === undefined ? {} : { HOME: env['HOME'] }),
  });
  const log = createLogger({ level: settings.logLevel, secrets });
  const { [HARNESS_ENV.poolToken]: token, ...known } = env;
  if (token !== undefined && settings.enabled && env[HARNESS_ENV.agentSecret] === undefined) {
    // Loaded by those who wait only.
    const { joinPool } = await import('./pool/join-pool');
    const variables = await joinPool({ settings, token, incarnation, version: VERSION, secrets, log, signal });
    const all = { ...known, ...variables };
    return { config: withCredentials(loadSettings(all, process.cwd()), all), variables: {} };
  }
  const identity = await establishIdentity({
    ...settings,
    env,
    version: VERSION,
    supportedTypes: SUPPORTED_TYPES,
    capacity: settings.maxSessions,
    log,
    signal,
    onSecret: (secret) => secrets.add(secret),
  });
  return { config: withCredentials(settings, { ...env, ...identity.variables }), ...identity };
}

async function configured(secrets: Secrets, incarnation: string): Promise<{ config: HarnessConfig } & Identity> {
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    return await configuration(secrets, incarnation, stopped.signal);
  } catch (error) {
    if (stopped.signal.aborted) quit(EXIT.ok);
    if (error instanceof ConfigError) quit(EXIT.configuration, error.message);
    if (error instanceof PoolOver) quit(error.code, secrets.redact(error.message));
    if (error instanceof EnrollmentRefused) quit(EXIT.refused, secrets.redact(error.message));
    throw error;
  } finally {
    process.off('SIGTERM', stop);
    process.off('SIGINT', stop);
  }
}

/** The first signal asks to leave in order, the second to be quick about it, the third ends the process. */
function stopOnSignals(harness: Harness, drainMs: number, onFault: (error: unknown) => void): void {
  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > 2) quit(EXIT.ok, 'stopped at once');
    if (signals === 2) harness.hurry();
    const lastMs = signals === 1 ? drainMs + FORCED_EXIT_MARGIN_MS : HURRY_MS;
    setTimeout(() => quit(EXIT.ok, 'the drain time is over'), lastMs).unref();
    harness.stop(signal).catch(onFault);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** A harness made for a session that cannot reach its controller says so, instead of trying unseen for ever. */
function giveUpWithoutController(config: HarnessConfig, counters: ClientCounters, secrets: Secrets): void {
  const { enabled, managed, connectWithinMs, baseUrl } = config;
  if (!enabled || !managed) return;
  setTimeout(() => {
    const { lastConnectedAt, lastConnectionError } = counters.facts;
    if (lastConnectedAt !== null) return;
    const where = redactUrlCredentials(baseUrl);
    const why = secrets.redact(lastConnectionError ?? 'no answer');
    quit(EXIT.unreachable, `the controller at ${where} was not reached within ${connectWithinMs / 1000} s: ${why}`);
  }, connectWithinMs).unref();
}

async function main(): Promise<void> {
  const secrets = new Secrets();
  const incarnation = newId('incarnation');
  const { config, file } = await configured(secrets, incarnation);
  secrets.add(config.agentSecret);
  secrets.addNamed(config.env);
  const log = createLogger({ level: config.logLevel, secrets });
  const fault = (what: string) => (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error(what, { reason: describeError(error), stack });
    quit(EXIT.fault, `${what}: ${secrets.redact(describeError(error))}`);
  };
  process.on('uncaughtException', fault('uncaught exception'));
  process.on('unhandledRejection', fault('unhandled rejection'));

  const pids = join(config.stateDir, 'pids');
  const leftovers = killLeftovers(pids);
  if (leftovers.length > 0) log.warn('agents of an earlier harness were killed', { pids: leftovers.join() });
  keepPidFilesIn(pids);

  const counters = new ClientCounters();
  const harness = new Harness({
    config,
    version: VERSION,
    incarnation,
    supportedTypes: SUPPORTED_TYPES,
    loadDriver,
    log,
    secrets,
    counters,
    ...(file === undefined ? {} : { credentialsFile: file }),
  });
  const health = observe({ harness, config, counters, secrets, version: VERSION, log });
  process.once('exit', () => health?.stop());
  giveUpWithoutController(config, counters, secrets);
  stopOnSignals(harness, config.drainMs, fault('draining failed'));
  const { code, message, alert } = await harness.run();
  const reason = message === undefined ? undefined : secrets.redact(message);
  if (alert !== undefined && config.alertUrl !== undefined) {
    await sendAlert(config.alertUrl, { event: alert, agentId: config.agentId, reason: reason ?? '' }, log);
  }
  quit(code, reason);
}

void main();
