import { type Driver, type DriverContext, type DriverFactory } from '../drivers/driver.port';
import { describeError, type Logger } from '../log/logger';

/** What a driver is made from; a change makes the lane start its agent anew before the next turn. */
export type LaneSetup = Omit<DriverContext, 'lane' | 'resumeId' | 'log'>;

interface Lane {
  driver: Driver;
  setup: string;
  busy: boolean;
  lastUsed: number;
}

export interface LanesOptions {
  loadDriver: () => Promise<DriverFactory>;
  setup: () => LaneSetup;
  /** Called before an agent is started with a setup, for what it reads from files. */
  prepare?: (setup: LaneSetup) => Promise<void>;
  /** The CLI's conversation id a lane carries on. */
  resumeIdOf: (lane: string) => string | undefined;
  /** Agents that stay up between turns; the longest unused one is stopped first. */
  maxWarm: number;
  log: Logger;
}

/** One warm agent per lane. */
export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  private uses = 0;

  constructor(private readonly options: LanesOptions) {}

  /** The lane's agent, started where there is none. Rejects where it cannot start. Release or discard it afterwards. */
  async acquire(name: string): Promise<Driver> {
    const setup = this.options.setup();
    const fingerprint = JSON.stringify([
      // The conversations to resume are this lane's own and change with every turn.
      { ...setup.session, resume: null },
      setup.instruction,
      setup.settings,
      setup.mcpServers,
      setup.allowedTools,
    ]);
    const existing = this.lanes.get(name);
    if (existing !== undefined && existing.setup !== fingerprint) await this.remove(name);
    const lane = this.lanes.get(name) ?? (await this.open(name, setup, fingerprint));
    lane.busy = true;
    lane.lastUsed = ++this.uses;
    return lane.driver;
  }

  release(name: string): void {
    const lane = this.lanes.get(name);
    if (lane !== undefined) lane.busy = false;
  }

  /** Ends the lane's agent at once; its next turn starts another that carries the conversation on. */
  async discard(name: string): Promise<void> {
    const lane = this.lanes.get(name);
    this.lanes.delete(name);
    await lane?.driver.kill().catch((error: unknown) => this.report('an agent could not be killed', name, error));
  }

  /** Ends every agent in order. */
  async stop(): Promise<void> {
    await Promise.all([...this.lanes.keys()].map((name) => this.remove(name)));
  }

  pidOf(name: string): number | undefined {
    return this.lanes.get(name)?.driver.pid;
  }

  private async open(name: string, setup: LaneSetup, fingerprint: string): Promise<Lane> {
    await this.makeRoom();
    const create = await this.options.loadDriver();
    await this.options.prepare?.(setup);
    const log = this.options.log.child({ lane: name });
    const driver = create({ ...setup, lane: name, resumeId: this.options.resumeIdOf(name), log });
    const lane: Lane = { driver, setup: fingerprint, busy: true, lastUsed: ++this.uses };
    this.lanes.set(name, lane);
    try {
      await driver.start();
    } catch (error) {
      await this.discard(name);
      throw error;
    }
    return lane;
  }

  private async makeRoom(): Promise<void> {
    if (this.lanes.size < this.options.maxWarm) return;
    const idle = [...this.lanes].filter(([, lane]) => !lane.busy).sort(([, a], [, b]) => a.lastUsed - b.lastUsed)[0];
    if (idle !== undefined) await this.remove(idle[0]);
  }

  private async remove(name: string): Promise<void> {
    const lane = this.lanes.get(name);
    this.lanes.delete(name);
    await lane?.driver.stop().catch((error: unknown) => this.report('an agent did not stop in order', name, error));
  }

  private report(message: string, lane: string, error: unknown): void {
    this.options.log.warn(message, { lane, reason: describeError(error) });
  }
}
