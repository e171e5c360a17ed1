import { mkdir, rm, stat, utimes } from 'node:fs/promises';
import { startInterval, systemClock } from '@reins/shared/util';

const STALE_MS = 30_000;
const TOUCH_MS = 5_000;

/**
 * Runs `work` while holding a lock folder, so that two processes do not do it at once. A lock that its owner stopped
 * touching (it was killed) is taken over. `onWait` is called once when somebody else holds it.
 */
export async function withLock<T>(folder: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  let told = false;
  while (!(await acquire(folder))) {
    if (!told) onWait();
    told = true;
    await systemClock.sleep(250);
  }
  const touching = startInterval({
    everyMs: TOUCH_MS,
    run: () => utimes(folder, new Date(), new Date()),
    onError: () => undefined,
  });
  try {
    return await work();
  } finally {
    await touching.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function acquire(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const touched = await stat(folder).then(
    (info) => info.mtimeMs,
    () => Date.now(),
  );
  if (Date.now() - touched > STALE_MS) await rm(folder, { recursive: true, force: true });
  return false;
}
