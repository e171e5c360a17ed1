const MAX_BYTES = 4 * 1024 * 1024;

/** The agent's own lines of one turn, as they came, up to 4 MiB. */
export class RawCapture {
  private lines: string[] = [];
  private bytes = 0;
  private left = 0;

  add(line: string): void {
    const bytes = Buffer.byteLength(line) + 1;
    if (this.left > 0 || this.bytes + bytes > MAX_BYTES) {
      this.left++;
      return;
    }
    this.lines.push(line);
    this.bytes += bytes;
  }

  /** One line each; the last says how many were left out, if any were. */
  read(): string {
    const note = this.left > 0 ? [JSON.stringify({ type: 'truncated', linesLeftOut: this.left })] : [];
    return [...this.lines, ...note].join('\n');
  }
}
