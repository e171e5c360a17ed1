import { type Clock } from '@reins/shared/util/clock';

/** Counts CPU since it was last asked, so that each heartbeat says how busy its own interval was. */
export class ProcessMetrics {
  private lastCpu = process.cpuUsage();
  private lastAt: number;

  constructor(private readonly clock: Clock) {
    this.lastAt = clock.monotonic();
  }

  /** `cpu`: percent of one core; `memory`: resident bytes; `uptime`: seconds. */
  read(): { cpu: number; memory: number; uptime: number } {
    const now = this.clock.monotonic();
    const used = process.cpuUsage(this.lastCpu);
    const elapsedMs = Math.max(1, now - this.lastAt);
    this.lastCpu = process.cpuUsage();
    this.lastAt = now;
    return {
      cpu: Math.round(((used.user + used.system) / 1000 / elapsedMs) * 1000) / 10,
      memory: process.memoryUsage.rss(),
      uptime: Math.round(process.uptime()),
    };
  }
}
