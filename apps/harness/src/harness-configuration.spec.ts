import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClaudeCodeDriver } from './drivers/claude-code/claude-code.driver';
import { ConfiguredAgent } from './agent/configured-agent';
import { type AgentConfiguration } from './link/controller-api';
import { SESSION } from './link/testing/scripted-peer';
import { createLogger, Secrets } from './log/logger';
import { endScenes, scene, type Scene } from './testing/scene';

/** Speaks as much of Claude Code's protocol as a turn needs and writes down how it was started. */
const CLI = `#!/usr/bin/env node
const { appendFileSync, readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const resume = args.find((arg) => arg.startsWith('--resume='))?.slice(9);
const mcp = args.find((arg) => arg.startsWith('--mcp-config='))?.slice(13);
const started = { args, resume, instruction: readFileSync('CLAUDE.md', 'utf8'), mcp: mcp && readFileSync(mcp, 'utf8') };
appendFileSync(process.env.CLAUDE_TEST_STARTS, JSON.stringify(started) + '\\n');
const say = (line) => process.stdout.write(JSON.stringify(line) + '\\n');
const session_id = resume ?? 'conversation-1';
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { type, message } = JSON.parse(line);
  if (type !== 'user') return;
  say({ type: 'system', subtype: 'init', session_id, model: 'm' });
  say({ type: 'user', isReplay: true, message });
  const text = args.find((arg) => arg.startsWith('--model='));
  setTimeout(() => {
    say({ type: 'assistant', message: { id: String(Math.random()), content: [{ type: 'text', text }] } });
    say({ type: 'result', subtype: 'success', is_error: false, stop_reason: 'end_turn', num_turns: 1, result: text });
  }, message.content === 'slow' ? 700 : 0);
});
process.stdin.on('end', () => process.exit(0));
`;

interface Start {
  args: string[];
  resume?: string;
  instruction: string;
  mcp?: string;
}

describe('a new configuration', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'reins-cli-'))));
  afterEach(async () => {
    await endScenes();
    rmSync(folder, { recursive: true, force: true });
  });

  async function claudeScene(): Promise<Scene & { starts: () => Start[]; run: (id: string) => Promise<string> }> {
    const cli = join(folder, 'claude');
    writeFileSync(cli, CLI);
    chmodSync(cli, 0o755);
    const log = join(folder, 'starts');
    writeFileSync(log, '');
    const playing = await scene(
      undefined,
      (peer) => {
        peer.session = { ...SESSION, cliType: 'claude-code' };
        peer.settings = { claude_model: 'one' };
      },
      { driver: createClaudeCodeDriver, env: { CLAUDE_PATH: cli, CLAUDE_TEST_STARTS: log } },
    );
    const { peer } = playing;
    return {
      ...playing,
      starts: () =>
        readFileSync(log, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Start),
      run: async (id) => {
        peer.turn(id);
        await peer.until(`the end of ${id}`, () => peer.terminal(id) !== undefined);
        const said = peer.eventsOf().filter(({ turnId, type }) => turnId === id && type === 'text');
        return said.map(({ data }) => String(data.text)).join('');
      },
    };
  }

  it('reaches Claude Code with its next turn: model, tools, servers, instruction; the conversation goes on', async () => {
    const { peer, starts, run, lines } = await claudeScene();
    expect(await run('req-1')).toBe('--model=one');
    await run('req-2');
    expect(starts()).toHaveLength(1);
    expect(starts()[0]).toMatchObject({ instruction: 'Instruction of v1' });
    expect(starts()[0]?.resume).toBeUndefined();

    peer.turn('req-3', { prompt: 'slow' });
    await peer.until('the start', () => peer.bodies('turn.started').length === 3);
    peer.configVersion = 'v2';
    peer.settings = { claude_model: 'two', claude_maxTurns: 7 };
    peer.tools = [{ name: 'Bash' }, { name: 'weather' }];
    peer.mcpServers = { weather: { type: 'http', url: 'http://127.0.0.1:9/mcp' } };
    peer.socket.emit('wake', { configVersion: 'v2' });
    await peer.until('the third end', () => peer.terminal('req-3') !== undefined);
    // The turn that was running kept what it was started with.
    expect(lines.join('')).toContain('configuration updated');
    expect(starts()).toHaveLength(1);

    expect(await run('req-4')).toBe('--model=two');
    const [, second] = starts();
    expect(second).toMatchObject({ instruction: 'Instruction of v2', resume: 'conversation-1' });
    expect(second?.args).toEqual(
      expect.arrayContaining(['--model=two', '--max-turns', '7', '--allowedTools=Bash,mcp__weather']),
    );
    expect(JSON.parse(second?.mcp ?? '')).toEqual({ mcpServers: peer.mcpServers });

    peer.configVersion = 'v3';
    peer.session = { ...SESSION, cliType: 'claude-code', modelConfig: { model: 'three' } };
    await peer.until('the heartbeat brought it', () => peer.bodies('heartbeat').at(-1)?.configVersion === 'v3');
    expect(await run('req-5')).toBe('--model=three');
    expect(starts()).toHaveLength(3);
  });

  it('that only names another conversation to resume starts nothing anew', async () => {
    const { peer, starts, run } = await claudeScene();
    await run('req-1');
    peer.configVersion = 'v2';
    peer.session = { ...SESSION, cliType: 'claude-code', resume: { lanes: { main: 'conversation-1' } } };
    await peer.until('the heartbeat brought it', () => peer.bodies('heartbeat').at(-1)?.configVersion === 'v2');
    // The instruction of this peer carries the version, so the text changed too: one start, with the same conversation.
    await run('req-2');
    peer.session = { ...SESSION, cliType: 'claude-code', resume: { lanes: { main: 'conversation-1', b: 'x' } } };
    peer.socket.disconnect(true);
    await peer.until('the second welcome', () => peer.bodies('hello').length === 2);
    await run('req-3');
    expect(starts().map(({ resume }) => resume)).toEqual([undefined, 'conversation-1']);
  });

  it('named while an older one is being fetched is fetched too', async () => {
    const fetched: ((version: string) => void)[] = [];
    const agent = new ConfiguredAgent({
      env: {},
      log: createLogger({ level: 'error', secrets: new Secrets(), write: () => undefined }),
      fetch: () =>
        new Promise((resolve) =>
          fetched.push((configVersion) =>
            resolve({ configVersion, settings: {}, tools: [] } as unknown as AgentConfiguration),
          ),
        ),
    });
    const done = agent.refresh('v2');
    await agent.refresh('v3');
    expect(fetched).toHaveLength(1);
    fetched[0]?.('v2');
    while (fetched.length < 2) await new Promise((resolve) => setImmediate(resolve));
    fetched[1]?.('v3');
    await done;
    expect(agent.remote?.configVersion).toBe('v3');
    await agent.refresh('v3');
    expect(fetched).toHaveLength(2);
  });
});
