import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine } from './machine';
import { markdownOf, type RowReport } from './report';

export interface Run extends Machine {
  loadAfter: number;
  database: string;
  command: string;
  rows: RowReport[];
}

const ROOT = join(__dirname, '../../..');
const PAGE = join(ROOT, 'docs/reference/benchmarks.md');

/** Puts the figures of a run between the page's markers; rows that did not run keep what they have. */
export function writeDocs(run: Run): void {
  writeFileSync(PAGE, withFigures(readFileSync(PAGE, 'utf8'), run));
  execFileSync(join(ROOT, 'node_modules/.bin/prettier'), ['--write', '--log-level', 'warn', PAGE], {
    stdio: 'inherit',
  });
}

/** Throws where the page has no markers for a row. */
export function withFigures(text: string, run: Run): string {
  return run.rows.reduce((page, row) => {
    const [begin, end] = [`<!-- ${row.id}:begin -->`, `<!-- ${row.id}:end -->`];
    const [from, to] = [page.indexOf(begin), page.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page has no ${begin} … ${end}`);
    const figures = `${begin}\n\n${provenance(run)}\n\n${markdownOf(row)}\n\n`;
    return page.slice(0, from) + figures + page.slice(to);
  }, text);
}

function provenance({ at, commit, line, database, load, loadAfter, command }: Run): string {
  const loads = `load ${load.toFixed(1)} before and ${loadAfter.toFixed(1)} after`;
  return `\`${command}\` on ${at.slice(0, 10)}, commit ${commit}: ${line}; database: ${database}; ${loads}.`;
}
