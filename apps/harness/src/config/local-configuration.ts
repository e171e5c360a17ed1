import { readFileSync } from 'node:fs';
import { describeError, type Logger } from '../log/logger';

/** More is surely not meant for a model. */
const MAX_BYTES = 1024 * 1024;

/** The instruction on this machine, for while the controller's cannot be had. Empty where there is no such file. */
export function localInstruction(path: string, log: Logger): string {
  try {
    const text = readFileSync(path);
    if (text.length > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`);
    return text.toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    log.warn('the local instruction cannot be used', { path, reason: describeError(error) });
    return '';
  }
}
