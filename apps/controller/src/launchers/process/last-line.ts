import { open } from 'node:fs/promises';

const TAIL_BYTES = 4096;
const LONGEST = 300;

/** The last line of a log that says something, cut short; undefined where there is none. */
export async function lastLine(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const length = Math.min(TAIL_BYTES, size);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const line = buffer
      .toString('utf8')
      .split('\n')
      .filter((text) => text.trim() !== '')
      .pop();
    return line === undefined ? undefined : messageOf(line).slice(0, LONGEST);
  } finally {
    await file.close();
  }
}

/** Of a structured line its message, of a plain one the line. */
function messageOf(line: string): string {
  if (!line.startsWith('{')) return line.trim();
  try {
    const parsed = JSON.parse(line) as { msg?: unknown };
    return typeof parsed.msg === 'string' ? parsed.msg : line;
  } catch {
    return line;
  }
}
