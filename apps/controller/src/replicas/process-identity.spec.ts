import { spawn } from 'node:child_process';
import { startTicks } from '../launchers/process/process-table';
import { isKnownDead, ownIdentity } from './process-identity';

describe('the identity of a process', () => {
  it('says that a living process lives and that it is gone afterwards', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
    const { machine } = ownIdentity();
    const pid = child.pid as number;
    const identity = { machine, pid, startedTicks: startTicks(pid) ?? '' };
    expect(isKnownDead(identity, machine)).toBe(false);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
    expect(isKnownDead(identity, machine)).toBe(true);
  });

  it('does not take a later process with the same pid for it', () => {
    const own = ownIdentity();
    expect(isKnownDead(own, own.machine)).toBe(false);
    expect(isKnownDead({ ...own, startedTicks: '1' }, own.machine)).toBe(true);
  });

  it('never judges the process of another machine', () => {
    const own = ownIdentity();
    expect(isKnownDead({ ...own, startedTicks: '1' }, `${own.machine}/other`)).toBe(false);
  });
});
