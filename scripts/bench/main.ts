import { writeFileSync } from 'node:fs';
import { dispatch } from './b1-dispatch';
import { firstToken } from './b2-stream';
import { throughput } from './b3-throughput';
import { harnessLoss } from './b6-loss';
import { createToActive } from './b8-create';
import { agentConnects } from './b14-connect';
import { harnessStart } from './b15-start';
import { HELP, type Options, readOptions } from './options';
import { writeDocs } from './support/docs';
import { describeMachine } from './support/machine';
import { type RowReport, textOf } from './support/report';

const ROWS: Record<string, (options: Options) => Promise<RowReport>> = {
  b1: dispatch,
  b2: firstToken,
  b3: throughput,
  b6: harnessLoss,
  b8: createToActive,
  b14: agentConnects,
  b15: harnessStart,
};

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), Object.keys(ROWS));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const machine = describeMachine();
  const database = process.env['MONGODB_URI'] ? 'MONGODB_URI' : 'embedded';
  process.stdout.write(
    `${machine.line}\ndatabase: ${database}; commit ${machine.commit}; load ${machine.load.toFixed(1)}\n`,
  );
  const reports: RowReport[] = [];
  for (const id of options.rows) {
    process.stderr.write(`\n${id} …\n`);
    try {
      const report = await (ROWS[id] as (options: Options) => Promise<RowReport>)(options);
      reports.push(report);
      process.stdout.write(`\n${textOf(report)}\n`);
    } catch (error) {
      process.exitCode = 1;
      process.stderr.write(`${id} failed: ${(error as Error).stack ?? String(error)}\n`);
    }
  }
  const run = { ...machine, loadAfter: describeMachine().load, database, command: commandLine(options), rows: reports };
  process.stdout.write(`\nload ${run.loadAfter.toFixed(1)} at the end\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(run, undefined, 2)}\n`);
  if (options.writeDocs) writeDocs(run);
}

/** The command for the reader of the figures; where this run left its files is nobody's business. */
function commandLine({ rows, iterations, sessions, rate, seconds }: Options): string {
  const sizes = `--iterations ${iterations} --sessions ${sessions} --rate ${rate} --seconds ${seconds}`;
  return `npm run bench -- ${rows.join(' ')} ${sizes}`;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  },
);
