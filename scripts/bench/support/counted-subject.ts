import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureEmbeddedMongo } from '@reins/embedded-mongo';
import { countingProxy } from './counting-proxy';
import { EMBEDDED_ENTRY } from './database';
import { Subject } from './subject';

/**
 * Runs something against a controller whose commands to the embedded engine are counted on the wire. Undefined with
 * MONGODB_URI, whose server may be many.
 */
export async function countingCommands<T>(
  env: Record<string, string>,
  run: (subject: Subject, commands: () => number) => Promise<T>,
): Promise<T | undefined> {
  if (process.env['MONGODB_URI']) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'reins-bench-'));
  const engine = await ensureEmbeddedMongo({ dir: join(directory, 'database'), entry: EMBEDDED_ENTRY });
  const proxy = await countingProxy(join(directory, 'proxy.sock'), engine.socketPath);
  try {
    const subject = await Subject.start(undefined, { ...env, MONGODB_URI: proxy.uri }, engine.uri);
    try {
      return await run(subject, () => proxy.commands());
    } finally {
      await subject.stop();
    }
  } finally {
    await proxy.close();
    await engine.close({ stop: true });
    rmSync(directory, { recursive: true, force: true });
  }
}
