import { parseArgs } from 'node:util';

export const HELP = `npm run bench -- [b1 b2 b3 b6 b8 b14 b15] [options]

  Each row measures ours and its floor in the same run, in turns. Without a name all rows run, a minute or two each.

  --iterations N   units of work measured on each side (default 60, at least 30)
  --sessions N     sessions of B2's steady part (default 200)
  --rate N         events per second and session there (default 50)
  --seconds N      how long it lasts (default 10)
  --json FILE      the figures as JSON
  --write-docs     puts the figures of the rows that ran into docs/reference/benchmarks.md
  --profile DIR    leaves a CPU profile of each row's controller there
  --help           this text

  KUBECONFIG       the cluster of b6's and b8's pods, and REINS_CLUSTER_HOST where they reach this machine; without them
                   those are skipped: scripts/cluster exec npm run bench -- b6 b8
  MONGODB_URI      measures on that server instead of the embedded engine; databases named reins_bench_* are made and dropped
`;

export interface Options {
  rows: string[];
  iterations: number;
  sessions: number;
  rate: number;
  seconds: number;
  json: string | undefined;
  writeDocs: boolean;
  profileDir: string | undefined;
  help: boolean;
}

/** Reads the command line; throws an Error with a plain sentence. */
export function readOptions(argv: string[], known: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      iterations: { type: 'string', default: '60' },
      sessions: { type: 'string', default: '200' },
      rate: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '10' },
      json: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const rows = positionals.map((name) => name.toLowerCase());
  const unknown = rows.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${unknown} is not a row; there are ${known.join(', ')}`);
  const number = (name: 'iterations' | 'sessions' | 'rate' | 'seconds', least: number): number => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < least) throw new Error(`--${name} must be a whole number from ${least}`);
    return value;
  };
  return {
    rows: rows.length === 0 ? [...known] : rows,
    iterations: number('iterations', 30),
    sessions: number('sessions', 1),
    rate: number('rate', 1),
    seconds: number('seconds', 3),
    json: values.json,
    writeDocs: values['write-docs'],
    profileDir: values.profile,
    help: values.help,
  };
}
