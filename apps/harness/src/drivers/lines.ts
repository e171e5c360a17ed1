/** Cuts a byte stream into lines. Bytes are joined before they are decoded, so a character split over two chunks stays whole. */
export class LineSplitter {
  private parts: Buffer[] = [];
  private bytes = 0;
  private dropping = false;

  /** A longer line is dropped as a whole and `onDropped` told, so that a runaway child cannot fill the memory. */
  constructor(
    private readonly maxLineBytes = 64 * 1024 * 1024,
    private readonly onDropped: () => void = () => undefined,
  ) {}

  /** The lines that this chunk completes, without their line ends. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.keep(chunk.subarray(start, end));
      const line = this.take();
      if (line !== undefined) lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.keep(chunk.subarray(start));
    return lines;
  }

  /** What came after the last line end, once the stream is over. */
  rest(): string | undefined {
    return this.bytes > 0 ? this.take() : undefined;
  }

  private keep(part: Buffer): void {
    if (this.dropping) return;
    this.parts.push(part);
    this.bytes += part.length;
    if (this.bytes <= this.maxLineBytes) return;
    this.dropping = true;
    this.parts = [];
    this.onDropped();
  }

  private take(): string | undefined {
    const line = this.dropping ? undefined : Buffer.concat(this.parts).toString('utf8').replace(/\r$/, '');
    this.parts = [];
    this.bytes = 0;
    this.dropping = false;
    return line;
  }
}
