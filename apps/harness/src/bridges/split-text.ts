/** More pieces than this would bury a channel; what is beyond is left out, and the last piece says so. */
const MAX_PIECES = 10;
const CUT_NOTE = '[the rest of the answer is too long for a chat]';

const FENCE = /^ {0,3}(`{3,10})([^`]{0,40})$/;
/** Room for the end of a code block, which each piece that stops inside one gets. */
const closing = (fence: Fence | undefined): string => (fence === undefined ? '' : `\n${fence.ticks}`);

interface Fence {
  ticks: string;
  /** The line that opened the block, to open it again in the next piece. */
  line: string;
}

/**
 * Splits a text into pieces of at most `limit` UTF-16 units, on line borders where possible, with every code block closed
 * in the piece it stops in and opened again in the next. No piece is blank; a blank text has no pieces.
 */
export function splitText(text: string, limit: number): string[] {
  const splitter = new Splitter(limit);
  for (const line of text.replaceAll('\r\n', '\n').trimEnd().split('\n')) splitter.add(line);
  const pieces = splitter.end();
  if (pieces.length <= MAX_PIECES) return pieces;
  const kept = pieces.slice(0, MAX_PIECES);
  const last = splitText(kept.pop() ?? '', limit - CUT_NOTE.length - 1)[0] ?? '';
  return [...kept, `${last}\n${CUT_NOTE}`];
}

class Splitter {
  private readonly pieces: string[] = [];
  private fence: Fence | undefined;
  private current: string | undefined;
  /** The piece holds something beyond the line that opens its code block again. */
  private filled = false;

  constructor(private readonly limit: number) {}

  add(line: string): void {
    const after = fenceAfter(this.fence, line);
    if (!this.fits(line, after)) this.flush();
    if (this.fits(line, after)) return this.append(line, after);
    // Longer than a piece: its parts are only text, wherever they begin.
    for (let rest = line; rest !== '';) {
      if (this.room <= 0) this.flush();
      const part = beginning(rest, this.room);
      rest = rest.slice(part.length);
      this.append(part, this.fence);
      if (rest !== '') this.flush();
    }
  }

  end(): string[] {
    this.flush();
    return this.pieces;
  }

  private get room(): number {
    const used = this.current === undefined ? 0 : this.current.length + 1;
    return this.limit - used - closing(this.fence).length;
  }

  private fits(line: string, after: Fence | undefined): boolean {
    const used = this.current === undefined ? 0 : this.current.length + 1;
    return used + line.length + closing(after).length <= this.limit;
  }

  private append(line: string, after: Fence | undefined): void {
    this.current = this.current === undefined ? line : `${this.current}\n${line}`;
    this.fence = after;
    if (line.trim() !== '') this.filled = true;
  }

  private flush(): void {
    if (this.filled && this.current !== undefined) this.pieces.push(this.current + closing(this.fence));
    this.current = this.fence?.line;
    this.filled = false;
  }
}

function fenceAfter(open: Fence | undefined, line: string): Fence | undefined {
  const [, ticks, info = ''] = FENCE.exec(line) ?? [];
  if (ticks === undefined) return open;
  if (open === undefined) return { ticks, line: line.trim() };
  return ticks.length >= open.ticks.length && info.trim() === '' ? undefined : open;
}

/** As much of the line as fits: to its last blank where that is in the second half, and never half a character. */
function beginning(line: string, room: number): string {
  if (line.length <= room) return line;
  const blank = line.lastIndexOf(' ', room - 1) + 1;
  if (blank > room / 2) return line.slice(0, blank);
  const lastUnit = line.charCodeAt(room - 1);
  const splitsPair = lastUnit >= 0xd800 && lastUnit <= 0xdbff && room > 1;
  return line.slice(0, splitsPair ? room - 1 : room);
}
