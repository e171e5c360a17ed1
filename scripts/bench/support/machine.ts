import { execFileSync } from 'node:child_process';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';

/** Where and when figures were taken: a ratio means little without it. */
export interface Machine {
  at: string;
  commit: string;
  line: string;
  load: number;
}

export function describeMachine(): Machine {
  const [first] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const system = `${type()} ${release()} ${arch()}`;
  return {
    at: new Date().toISOString(),
    commit: commit(),
    line: `${cpus().length} × ${first?.model.trim() ?? 'unknown CPU'}, ${memory}, ${system}, node ${process.version}`,
    load: loadavg()[0] ?? 0,
  };
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}
