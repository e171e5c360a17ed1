import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

export const HELP = `./scripts/quickstart [options]

  --cli NAME       agent to run: javascript (default, needs nothing) or claude-code
  --model-server   let claude-code talk to a local stand-in for its model service: no key, no network
  --prompt TEXT    what to ask
  --port N         where the controller listens (default: PORT or 3305)
  --stop           end the sessions, stop the controller and its database
  --help           this text

  REINS_DATA_DIR   where everything is kept (default: ~/.reins)
`;

const PROMPTS: Record<Cli, string> = {
  javascript: "console.log('Hello from ' + process.version); const primes = [2, 3, 5, 7]; primes.map((p) => p * p)",
  'claude-code': 'Write the word hello into a file called hello.txt, then say what you did.',
};

export const CLIS = ['javascript', 'claude-code'] as const;
export type Cli = (typeof CLIS)[number];

export interface Options {
  action: 'run' | 'stop' | 'help';
  cli: Cli;
  modelServer: boolean;
  prompt: string;
  port: number;
  dataDir: string;
}

/** Reads the command line; throws an Error with a plain sentence. */
export function readOptions(argv: string[], env: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      cli: { type: 'string', default: 'javascript' },
      'model-server': { type: 'boolean', default: false },
      prompt: { type: 'string' },
      port: { type: 'string' },
      stop: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const cli = CLIS.find((name) => name === values.cli);
  if (cli === undefined) throw new Error(`--cli ${values.cli}: choose one of ${CLIS.join(', ')}`);
  const port = Number(values.port ?? env['PORT'] ?? 3305);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error('--port must be a number from 1 to 65535');
  return {
    action: values.help ? 'help' : values.stop ? 'stop' : 'run',
    cli,
    modelServer: values['model-server'],
    prompt: values.prompt ?? PROMPTS[cli],
    port,
    dataDir: resolve(env['REINS_DATA_DIR'] ?? join(homedir(), '.reins')),
  };
}
