import { writeFileSync } from 'node:fs';
import { beginning } from '../events/oversize';

/** Whoever reads it quotes it whole. */
const MAX_BYTES = 1024;

/**
 * Leaves why the process ends in the file that whoever started it looks at; without secrets. A file that cannot be
 * written changes nothing: stderr has the sentence too.
 */
export function writeTermination(path: string | undefined, sentence: string): void {
  if (path === undefined || path === '') return;
  try {
    writeFileSync(path, beginning(sentence.replace(/\s+/g, ' ').trim(), MAX_BYTES));
  } catch (error) {
    process.stderr.write(`reins-harness: ${path} cannot be written (${(error as NodeJS.ErrnoException).code})\n`);
  }
}
