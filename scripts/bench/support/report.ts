import { type Distribution, figure } from './stats';

/** One line of figures: who did what. */
export interface Measure extends Distribution {
  what: string;
  who: string;
  unit: 'ms' | 'MiB' | 'events/s' | 'connects/s';
  /** On-CPU time of the measured server process per unit of work. */
  cpuMs?: number;
  /** 99th percentile of the server's event-loop delay while it was measured. */
  loopDelayMs?: number;
}

/** A figure held against its goal. */
export interface Verdict {
  what: string;
  /** With its unit. */
  value: string;
  goal: string;
  met: boolean;
}

export interface RowReport {
  id: string;
  title: string;
  measures: Measure[];
  verdicts: Verdict[];
  /** What somebody has to know to read the figures, and what was skipped. */
  notes: string[];
}

const COLUMNS = ['what', 'who', 'unit', 'p50', 'p95', 'p99', 'n', 'CPU ms', 'loop p99 ms'];

export function textOf(report: RowReport): string {
  const rows = [COLUMNS, ...report.measures.map(cellsOf)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: string[]): string =>
    row
      .map((cell, column) => (column < 3 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return [
    `${report.id.toUpperCase()}  ${report.title}`,
    ...rows.map((row) => `  ${line(row)}`),
    ...report.verdicts.map(
      ({ what, value, goal, met }) => `  ${met ? 'met   ' : 'MISSED'}  ${what}: ${value} (goal ${goal})`,
    ),
    ...report.notes.map((note) => `  note    ${note}`),
  ].join('\n');
}

/** What a row says of one of its parts. */
export type Part = Pick<RowReport, 'measures' | 'verdicts'> & { notes?: string[] };

/** Shows a part of a long row while the others are still to come. */
export async function told(part: Promise<Part>): Promise<Part> {
  const done = await part;
  for (const measure of done.measures) process.stderr.write(`  ${cellsOf(measure).join('  ')}\n`);
  return done;
}

export function markdownOf(report: RowReport): string {
  const row = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(COLUMNS),
    row(COLUMNS.map((_, column) => (column < 3 ? '---' : '---:'))),
    ...report.measures.map((measure) => row(cellsOf(measure))),
    '',
    ...report.verdicts.map(
      ({ what, value, goal, met }) => `- ${what}: **${value}**, goal ${goal}: ${met ? 'met' : 'missed'}.`,
    ),
    ...report.notes.map((note) => `- ${note}`),
  ].join('\n');
}

/** `ours / floor`, held against the most it may be. */
export function atMost(what: string, value: number, limit: number, unit: string): Verdict {
  return { what, value: `${figure(value)}${unit}`, goal: `≤ ${figure(limit)}${unit}`, met: value <= limit };
}

export function atLeast(what: string, value: number, limit: number, unit: string): Verdict {
  return { what, value: `${figure(value)}${unit}`, goal: `≥ ${figure(limit)}${unit}`, met: value >= limit };
}

function cellsOf({ what, who, unit, p50, p95, p99, count, cpuMs, loopDelayMs }: Measure): string[] {
  const optional = (value: number | undefined): string => (value === undefined ? '–' : figure(value));
  return [
    what,
    who,
    unit,
    figure(p50),
    figure(p95),
    figure(p99),
    String(count),
    optional(cpuMs),
    optional(loopDelayMs),
  ];
}
