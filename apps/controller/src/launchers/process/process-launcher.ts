import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { type Interval, startInterval, systemClock } from '@reins/shared/util';
import { Config } from '../../config/config';
import {
  type ExpectedLaunch,
  type FactListener,
  type Launched,
  Launcher,
  type LaunchRequest,
  type StopRequest,
} from '../launcher.port';
import { Gate } from './gate';
import { harnessEnvironment } from './harness-environment';
import { lastLine } from './last-line';
import { isAlive, type ProcessRecord, ProcessTable, startTicks } from './process-table';

const LOOK_EVERY_MS = 500;
/** How long a start holds its place at the gate: about what a harness needs until it has connected. */
const START_SPACING_MS = 400;

type StartRequest = LaunchRequest & Required<Pick<LaunchRequest, 'credentials'>>;

interface Watched {
  record: ProcessRecord;
  /** Set while this controller is the parent and learns the exit from the system itself. */
  child: ChildProcess | undefined;
  exited: AbortController;
}

/**
 * Harnesses as processes on this machine, each in a session of its own: they outlive the controller, and the next one
 * finds them by their records.
 */
@Injectable()
export class ProcessLauncher extends Launcher {
  readonly name = 'process';
  readonly startsHarness = true;
  private readonly logger = new Logger('ProcessLauncher');
  private readonly table: ProcessTable;
  private readonly watched = new Map<string, Watched>();
  private readonly gate = new Gate(Math.max(2, availableParallelism()));
  private readonly watch: Interval;
  private listener: FactListener = async () => undefined;

  constructor(private readonly config: Config) {
    super();
    this.table = new ProcessTable(join(config.env.REINS_DATA_DIR, 'sessions'));
    this.watch = startInterval({
      everyMs: LOOK_EVERY_MS,
      run: () => this.look(),
      onError: (error) => this.logger.error({ err: error }, 'the watch over processes failed; it goes on'),
    });
  }

  observe(listener: FactListener): void {
    this.listener = listener;
  }

  async launch(request: LaunchRequest): Promise<Launched> {
    const { credentials } = request;
    if (credentials === undefined) throw new Error('a process needs an identity of its own');
    const command = this.config.env.HARNESS_COMMAND ?? [process.execPath, defaultHarness()];
    await this.gate.pass(START_SPACING_MS, async () => {
      const child = await this.spawnHarness({ ...request, credentials }, command);
      const { orgId, sessionId, launchId } = request;
      const pid = child.pid as number;
      const record = { orgId, sessionId, launchId, pid, startedTicks: startTicks(pid) ?? '' };
      const watched = { record, child, exited: new AbortController() };
      this.watched.set(sessionId, watched);
      child.once('exit', (code, signal) => void this.report(watched, code, signal));
      await this.table.write(record);
      this.logger.log({ sessionId, pid }, 'harness started');
    });
    return { agentId: credentials.agentId };
  }

  async stop({ sessionId }: StopRequest, graceMs: number): Promise<void> {
    const watched = this.watched.get(sessionId) ?? (await this.adopt(sessionId));
    if (watched === undefined || !isAlive(watched.record)) return;
    this.kill(watched.record, 'SIGTERM');
    await systemClock.sleep(graceMs, watched.exited.signal).catch(() => undefined);
    if (isAlive(watched.record)) this.kill(watched.record, 'SIGKILL');
    await systemClock.sleep(LOOK_EVERY_MS * 4, watched.exited.signal).catch(() => undefined);
  }

  async reconcile(expected: readonly ExpectedLaunch[]): Promise<void> {
    for (const launch of expected) {
      const record = await this.table.read(launch.sessionId);
      if (record?.launchId === launch.launchId) {
        // Dead ones are found by the next look, which tells of them as of any other exit.
        this.watched.set(launch.sessionId, { record, child: undefined, exited: new AbortController() });
      } else if (!this.watched.has(launch.sessionId)) {
        const unknown = { exitCode: null, signal: null };
        const { orgId, sessionId, launchId } = launch;
        const message = 'the harness was never started';
        await this.listener({ orgId, sessionId, launchId, kind: 'exited', ...unknown, message });
      }
    }
  }

  async close(): Promise<void> {
    await this.watch.stop();
    for (const { child } of this.watched.values()) child?.removeAllListeners('exit');
  }

  private async spawnHarness(request: StartRequest, command: readonly string[]): Promise<ChildProcess> {
    const folder = this.table.folder(request.sessionId);
    const folders = { workspace: join(folder, 'workspace'), stateDir: join(folder, 'state') };
    await mkdir(folders.workspace, { recursive: true, mode: 0o700 });
    await mkdir(folders.stateDir, { recursive: true, mode: 0o700 });
    const log = await open(logPath(folder), 'a', 0o600);
    try {
      const env = harnessEnvironment(process.env, this.config.env.HARNESS_ENV, request, folders);
      const [program, ...args] = command;
      const child = spawn(program as string, args, {
        cwd: folder,
        env,
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      return child;
    } catch (error) {
      const message = `The harness could not be started: ${(error as Error).message}. HARNESS_COMMAND names its command.`;
      throw new ReinsError('launcher_unavailable', { message, cause: error });
    } finally {
      await log.close();
    }
  }

  private async adopt(sessionId: string): Promise<Watched | undefined> {
    const record = await this.table.read(sessionId);
    if (record === undefined) return undefined;
    const watched = { record, child: undefined, exited: new AbortController() };
    this.watched.set(sessionId, watched);
    return watched;
  }

  /** Finds exits of processes whose parent this controller is not. */
  private async look(): Promise<void> {
    for (const watched of [...this.watched.values()]) {
      if (watched.child === undefined && !isAlive(watched.record)) await this.report(watched, null, null);
    }
  }

  private async report(watched: Watched, exitCode: number | null, signal: string | null): Promise<void> {
    const { orgId, sessionId, launchId } = watched.record;
    if (watched.exited.signal.aborted) return;
    watched.exited.abort();
    if (this.watched.get(sessionId) === watched) this.watched.delete(sessionId);
    try {
      const said = exitCode === 0 ? undefined : await lastLine(logPath(this.table.folder(sessionId)));
      const message = describeExit(exitCode, signal) + (said === undefined ? '' : `: ${said}`);
      await this.listener({ orgId, sessionId, launchId, kind: 'exited', exitCode, signal, message });
    } catch (error) {
      this.logger.error({ err: error, sessionId }, 'an exit could not be recorded; it is told again');
      this.watched.set(sessionId, { record: watched.record, child: undefined, exited: new AbortController() });
    }
  }

  private kill(record: ProcessRecord, signal: 'SIGTERM' | 'SIGKILL'): void {
    try {
      // SIGKILL goes to the whole group: what the harness started must not outlive it.
      process.kill(signal === 'SIGKILL' ? -record.pid : record.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function logPath(folder: string): string {
  return join(folder, 'harness.log');
}

/** The harness built beside this controller. */
function defaultHarness(): string {
  return join(__dirname, '..', 'harness', 'main.js');
}

function describeExit(exitCode: number | null, signal: string | null): string {
  if (signal !== null) return `the harness was ended by ${signal}`;
  if (exitCode === null) return 'the harness is gone';
  return `the harness exited with code ${exitCode}`;
}
