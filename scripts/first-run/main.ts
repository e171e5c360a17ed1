import { join } from 'node:path';
import { stopEmbeddedMongo } from '@reins/embedded-mongo';
import { installAgentCli } from '../agent-clis/install';
import { Api } from './api';
import { endSessions, runDemo } from './demo';
import { HELP, type Options, readOptions } from './options';
import { Processes } from './processes';

const CONTROLLER_WITHIN_MS = 60_000;
const MODEL_SERVER_WITHIN_MS = 30_000;

const say = (line: string): void => void process.stderr.write(`    ${line}\n`);
const step = (line: string): void => void process.stderr.write(`\n==> ${line}\n`);

async function run(options: Options, processes: Processes): Promise<void> {
  const agentEnv = options.cli === 'claude-code' ? await claudeEnvironment(options, processes) : {};
  const url = await ensureController(options, processes, agentEnv);
  step(`Running a prompt with ${options.cli}`);
  const result = await runDemo(new Api(url), options.cli, options.prompt, say);
  const { sessionId, counts, outcome } = result;
  const events = [...counts].map(([type, count]) => `${count} ${type}`).join(', ');
  process.stdout.write(`\n
What happened: the harness connected by agent id and secret, pulled the prompt and pushed
  ${events}
  ${outcome.tokensIn} tokens in, ${outcome.tokensOut} tokens out, ${outcome.durationMs} ms

The controller goes on at ${url}. To go on with this session:

  curl ${url}/sessions/${sessionId}
  curl -N -X POST ${url}/sessions/${sessionId}/stream \\
    -H 'Content-Type: application/json' -d '{"prompt": ${JSON.stringify(nextPrompt(options))}}'
  curl ${url}/sessions/${sessionId}/telemetry
  curl '${url}/sessions/${sessionId}/events?follow=false'
  curl -X DELETE ${url}/sessions/${sessionId}

API: ${url}/api-docs    Log: ${processes.logPath('controller')}
Stop everything: ./scripts/quickstart --stop
`);
}

function nextPrompt({ cli }: Options): string {
  return cli === 'javascript' ? 'primes.reduce((a, b) => a + b)' : 'What did I ask you before?';
}

/** What Claude Code needs: its executable, and a model service it may talk to. */
async function claudeEnvironment(options: Options, processes: Processes): Promise<Record<string, string>> {
  const key = process.env['ANTHROPIC_API_KEY'] ?? process.env['CLAUDE_CODE_OAUTH_TOKEN'];
  if (!options.modelServer && key === undefined) {
    throw new Error(
      'Claude Code needs ANTHROPIC_API_KEY (or CLAUDE_CODE_OAUTH_TOKEN). Without one, add --model-server.',
    );
  }
  step('Installing Claude Code (once)');
  const executable = await installAgentCli('claude-code', { progress: say });
  const env: Record<string, string> = { CLAUDE_PATH: executable };
  if (options.modelServer) {
    const args = [
      join('node_modules', 'tsx', 'dist', 'cli.mjs'),
      join('scripts', 'model-server', 'main.ts'),
      '--port',
      '0',
    ];
    const server =
      processes.running('model-server') ??
      (await processes.start('model-server', args, process.env, MODEL_SERVER_WITHIN_MS));
    say(`model server at ${server.url}`);
    return { ...env, ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: 'local-model-server' };
  }
  return env;
}

/** The running controller, or a new one where none runs or it lacks what this agent needs. */
async function ensureController(
  options: Options,
  processes: Processes,
  agentEnv: Record<string, string>,
): Promise<string> {
  const running = processes.running('controller');
  if (running !== undefined && Object.keys(agentEnv).length === 0) {
    say(`the controller already runs at ${running.url}`);
    return running.url;
  }
  if (running !== undefined) {
    step('Restarting the controller with what the agent needs');
    await processes.stop('controller');
  } else {
    step('Starting the controller with its embedded database');
  }
  const env = { ...process.env, ...agentEnv, PORT: String(options.port), REINS_DATA_DIR: options.dataDir };
  const args = [join('dist', 'apps', 'controller', 'main.js')];
  const { url } = await processes.start('controller', args, env, CONTROLLER_WITHIN_MS);
  say(`controller at ${url}, data in ${options.dataDir}`);
  return url;
}

async function stop(options: Options, processes: Processes): Promise<void> {
  const controller = processes.running('controller');
  if (controller !== undefined) {
    step('Ending the sessions');
    await endSessions(new Api(controller.url), say).catch((error: Error) =>
      say(`not all could be ended: ${error.message}`),
    );
    step('Stopping');
  }
  for (const name of ['controller', 'model-server']) {
    say((await processes.stop(name)) ? `${name} stopped` : `no ${name} was running`);
  }
  if (await stopEmbeddedMongo(join(options.dataDir, 'database'))) say('embedded database stopped');
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env);
  const processes = new Processes(options.dataDir);
  if (options.action === 'help') process.stdout.write(HELP);
  else if (options.action === 'stop') await stop(options, processes);
  else await run(options, processes);
}

main().catch((error: unknown) => {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
