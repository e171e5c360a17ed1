/**
 * Runs inside the measured controller, so it is plain JavaScript: starts the profiler at SIGUSR2, when the warm-up is
 * over, and writes what it has when the process ends.
 */
const HOOK = `
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
const directory = process.env.REINS_BENCH_PROFILE_DIR;
const session = new Session();
session.connect();
process.once('SIGUSR2', () => {
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  session.post('Profiler.start');
});
process.once('exit', () => {
  session.post('Profiler.stop', (error, answer) => {
    if (error) return;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'controller-' + process.pid + '.cpuprofile'), JSON.stringify(answer.profile));
  });
});
`;

/** What a node program needs in its environment to leave a CPU profile in a folder. */
export function profileEnvironment(directory: string): Record<string, string> {
  return {
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(HOOK)}`,
    REINS_BENCH_PROFILE_DIR: directory,
  };
}
