import { join } from 'node:path';

export const HARNESS = join(__dirname, '../../../dist/apps/harness/main.js');

/** Has a controller start the built harness, where it would else get one that only sleeps. */
export const REAL_HARNESS = { HARNESS_COMMAND: JSON.stringify([process.execPath, HARNESS]) };
