import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CHILD_ARGUMENT } from './messages';

/** How the child is started: the bundle again with a marker, or from source the child's own file through tsx. */
export function childCommand(memoryBytes: number): { command: string; args: string[] } {
  const megabytes = Math.max(16, Math.round(memoryBytes / (1024 * 1024)));
  const flags = [`--max-old-space-size=${megabytes}`, '--no-warnings'];
  if (!__filename.endsWith('.ts')) {
    // This module may be in a chunk of its own beside the bundle.
    return { command: process.execPath, args: [...flags, join(__dirname, 'main.js'), CHILD_ARGUMENT] };
  }
  const tsx = createRequire(__filename).resolve('tsx/cjs');
  const entry = join(__dirname, 'child-main.ts');
  return { command: process.execPath, args: [...flags, '--require', tsx, entry, CHILD_ARGUMENT] };
}
