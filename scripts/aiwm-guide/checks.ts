/** Says and counts what holds. */
export class Checks {
  passed = 0;
  failed = 0;

  step(title: string): void {
    process.stdout.write(`\n${title}\n`);
  }

  that(what: string, holds: boolean, found?: unknown): void {
    if (holds) this.passed++;
    else this.failed++;
    const detail = holds || found === undefined ? '' : `: ${JSON.stringify(found)}`;
    process.stdout.write(`  ${holds ? 'ok    ' : 'FAILED'} ${what}${detail}\n`);
  }

  equal(what: string, found: unknown, expected: unknown): void {
    this.that(what, JSON.stringify(found) === JSON.stringify(expected), { found, expected });
  }
}
