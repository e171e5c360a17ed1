import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ModelServer, type Script } from '../../scripts/model-server';
import { eventually } from './api-client';
import { curl, type CurlCommand, curlJson } from './guide-curl';

const JSON_BODY = 'Content-Type: application/json';

/** The commands of "Virtual Worker Manager: Getting Started", steps 1 to 4, 6 and 7. */
const GUIDE = {
  createRuntime: {
    method: 'POST',
    path: '/admin/runtimes',
    headers: [JSON_BODY],
    body: `{
    "name": "python-3.11-vw",
    "description": "Python 3.11 with VW harness and CLI tools",
    "baseImage": "python:3.11-slim",
    "vwImage": "your-registry/python-3.11-vw:latest",
    "tags": ["python", "vw"]
  }`,
  },
  createWorker: {
    method: 'POST',
    path: '/admin/workers',
    headers: [JSON_BODY],
    body: `{
    "name": "code-reviewer",
    "description": "Security-focused code reviewer",
    "runtimeId": "rt-abc123...",
    "cliType": "claude-code",
    "agentMd": "You are a security-focused code reviewer.\\nLook for OWASP Top 10 vulnerabilities.\\nAlways explain your findings with severity ratings.",
    "workerRepoUrl": "https://github.com/org/code-reviewer-kb",
    "workerRepoBranch": "main",
    "autoLearn": true,
    "timeout": 3600
  }`,
  },
  createSession: {
    method: 'POST',
    path: '/sessions',
    headers: [JSON_BODY],
    body: `{
    "workerId": "wk-def456...",
    "repository": {
      "url": "https://github.com/org/my-project",
      "branch": "feature/new-auth"
    },
    "breadcrumbs": ["ticket-123", "sprint-42"]
  }`,
  },
  poll: { path: '/sessions/sess-jkl012...' },
  prompt: {
    method: 'POST',
    path: '/sessions/sess-jkl012.../prompt',
    headers: [JSON_BODY],
    body: `{
    "prompt": "Review the authentication module in src/auth/ for security vulnerabilities. Focus on session management and token validation.",
    "timeout": 120
  }`,
  },
  stream: {
    method: 'POST',
    path: '/sessions/sess-jkl012.../stream',
    headers: [JSON_BODY, 'Accept: text/event-stream'],
    body: `{
    "prompt": "Review the authentication module in src/auth/ for security vulnerabilities."
  }`,
  },
  abort: { method: 'POST', path: '/sessions/sess-jkl012.../abort', headers: [JSON_BODY], body: '{}' },
  telemetry: { path: '/sessions/sess-jkl012.../telemetry' },
  stats: { path: '/sessions/sess-jkl012.../stats' },
  end: { method: 'DELETE', path: '/sessions/sess-jkl012...' },
} satisfies Record<string, CurlCommand>;

interface StreamEvent {
  type: string;
  data: unknown;
}

const RFC3339 = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/) as string;
const NUMBER = expect.any(Number) as number;
const FINDINGS = "I've reviewed the authentication module and found 3 issues: 1. **High Severity**";

let [modelHangs, reviews] = [false, 0];

/** The model of this test: reads the module with a tool, writes its findings down, tells them. */
export const reviewer: Script = ({ shellTool, toolResults }) => {
  const findings = { type: 'text', deltas: FINDINGS.match(/\S+\s*/g) ?? [] } as const;
  const intro = { type: 'text', deltas: ['Let me ', 'look. '] } as const;
  const command = `cat session_repo/src/auth/session.ts && echo "finding ${++reviews}" >> session_repo/REVIEW.md`;
  const parts =
    shellTool === undefined || toolResults > 0 || modelHangs
      ? [findings]
      : [intro, { type: 'shell', tool: shellTool, command } as const];
  return { kind: 'speech', parts, delayMs: 0, usage: { tokensIn: 625, tokensOut: 445 }, hang: modelHangs };
};

/** Where a reader of the guide stands. */
export interface GuidePlace {
  /** Of the controller. */
  url: string;
  /** What the guide's samples are here, and beside it what every request needs. */
  ids: Record<string, string>;
  headers: readonly string[];
  model: ModelServer;
  repositories: GuideRepositories;
}

/** The guide's repositories, bare, below a folder. */
export class GuideRepositories {
  constructor(private readonly folder: string) {
    this.make('my-project', 'feature/new-auth', { 'src/auth/session.ts': 'export const secret = "hunter2";\n' });
    this.make('code-reviewer-kb', 'main', { 'README.md': 'What the reviewer knows.\n' });
  }

  /** Stands for https://github.com/org. */
  get root(): string {
    return join(this.folder, 'org');
  }

  git(name: string, ...args: string[]): string {
    return this.run(join(this.root, name), ...args);
  }

  private make(name: string, branch: string, files: Record<string, string>): void {
    const work = join(this.folder, 'work', name);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(work, path, '..'), { recursive: true });
      writeFileSync(join(work, path), text);
    }
    this.run(work, 'init', '-q', `--initial-branch=${branch}`);
    this.run(work, 'add', '-A');
    this.run(work, 'commit', '-q', '-m', 'start');
    this.run(this.folder, 'clone', '-q', '--bare', work, join(this.root, name));
  }

  private run(cwd: string, ...args: string[]): string {
    return execFileSync('git', ['-c', 'user.name=Test', '-c', 'user.email=test@localhost', ...args], {
      cwd,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: this.folder },
    }).trim();
  }
}

function eventsOf(text: string): StreamEvent[] {
  const lines = text.split('\n').filter((line) => line.startsWith('data:'));
  return lines.map((line) => JSON.parse(line.slice('data: '.length)) as StreamEvent);
}

/** One test a step: each goes on with what the one before left, as a reader of the guide does. */
export function followGuide(place: () => GuidePlace): void {
  let requestId: string;
  const ask = (command: CurlCommand): Parameters<typeof curl> => {
    const { url, ids, headers } = place();
    return [url, { ...command, headers: [...(command.headers ?? []), ...headers] }, ids];
  };
  const json = <T = Record<string, unknown>>(status: number, command: CurlCommand): Promise<T> =>
    curlJson<T>(status, ...ask(command));

  it('step 1 creates a runtime', async () => {
    const runtime = await json(201, GUIDE.createRuntime);
    expect(runtime).toMatchObject({
      id: expect.stringMatching(/^rt-/) as string,
      name: 'python-3.11-vw',
      baseImage: 'python:3.11-slim',
      vwImage: place().ids['your-registry/python-3.11-vw:latest'] ?? 'your-registry/python-3.11-vw:latest',
      tags: ['python', 'vw'],
      createdAt: RFC3339,
      updatedAt: RFC3339,
    });
    place().ids['rt-abc123...'] = String(runtime['id']);
  });

  it('step 2 creates a worker', async () => {
    const worker = await json(201, GUIDE.createWorker);
    expect(worker).toMatchObject({
      id: expect.stringMatching(/^wk-/) as string,
      name: 'code-reviewer',
      cliType: 'claude-code',
      runtimeId: place().ids['rt-abc123...'],
      autoLearn: true,
      timeout: 3600,
      createdAt: RFC3339,
      updatedAt: RFC3339,
    });
    place().ids['wk-def456...'] = String(worker['id']);
  });

  it('step 3 creates a session, which polling shows pending and then active', async () => {
    const session = await json(201, GUIDE.createSession);
    expect(session).toMatchObject({
      id: expect.stringMatching(/^sess-/) as string,
      workerId: place().ids['wk-def456...'],
      status: 'pending',
      createdAt: RFC3339,
    });
    place().ids['sess-jkl012...'] = String(session['id']);
    await eventually(
      async () => {
        const { id, status, lastActivityAt, statusReason } = await json(200, GUIDE.poll);
        expect({ id, status, lastActivityAt, statusReason }).toEqual({
          id: session['id'],
          status: 'active',
          lastActivityAt: RFC3339,
          statusReason: null,
        });
      },
      90_000,
      250,
    );
  });

  it('step 4 runs a prompt and waits for the whole answer', async () => {
    const answer = await json(200, GUIDE.prompt);
    expect(answer).toMatchObject({
      requestId: expect.stringMatching(/^req-/) as string,
      response: expect.stringContaining("I've reviewed the authentication module and found 3 issues") as string,
      tokensIn: NUMBER,
      tokensOut: NUMBER,
      durationMs: NUMBER,
    });
    for (const field of ['tokensIn', 'tokensOut', 'durationMs']) expect(answer[field]).toBeGreaterThan(0);
    requestId = String(answer['requestId']);
  });

  it('step 4 streams a prompt as server-sent events', async () => {
    const answer = await curl(...ask(GUIDE.stream));
    expect(answer).toMatchObject({ status: 200, contentType: expect.stringMatching(/^text\/event-stream/) as string });
    const events = eventsOf(answer.text);
    const types = events.map(({ type }) => type);
    expect(types.indexOf('text')).toBeGreaterThanOrEqual(0);
    expect(types.indexOf('tool_call')).toBeGreaterThan(types.indexOf('text'));
    expect(types.lastIndexOf('text')).toBeGreaterThan(types.indexOf('tool_call'));
    for (const { data } of events.filter(({ type }) => type === 'text')) expect(typeof data).toBe('string');
    expect(events.find(({ type }) => type === 'tool_call')?.data).toMatchObject({
      name: 'Bash',
      input: { command: expect.stringContaining('src/auth/session.ts') as string },
    });
    const last = events[events.length - 1] as { type: string; data: Record<string, number> };
    expect(last).toMatchObject({ type: 'complete', data: { tokensIn: NUMBER, tokensOut: NUMBER } });
    expect(last.data['tokensIn']).toBeGreaterThan(0);
    expect(last.data['tokensOut']).toBeGreaterThan(0);
  });

  it('step 4 aborts a request in flight', async () => {
    modelHangs = true;
    const { model } = place();
    const before = model.requests.length;
    const streamed = curl(...ask(GUIDE.stream));
    await eventually(async () => expect(model.requests.length).toBeGreaterThan(before), 60_000);
    await json(200, GUIDE.abort);
    const events = eventsOf((await streamed).text);
    expect(events[events.length - 1]).toMatchObject({ type: 'error', data: { code: 'turn_cancelled' } });
    modelHangs = false;
  });

  it('step 6 shows the history of requests', async () => {
    const history = await json<Record<string, unknown>[]>(200, GUIDE.telemetry);
    expect(history).toHaveLength(3);
    expect(history.find(({ id }) => id === requestId)).toMatchObject({
      id: requestId,
      prompt: expect.stringContaining('Review the authentication module') as string,
      response: expect.stringContaining("I've reviewed the authentication module") as string,
      status: 'complete',
      tokensIn: NUMBER,
      tokensOut: NUMBER,
      durationMs: NUMBER,
      createdAt: RFC3339,
    });
  });

  it('step 6 shows sums', async () => {
    const history = await json<Record<string, number>[]>(200, GUIDE.telemetry);
    const sum = (field: string): number => history.reduce((total, row) => total + (row[field] ?? 0), 0);
    expect(await json(200, GUIDE.stats)).toEqual({
      totalRequests: 3,
      completedRequests: 2,
      failedRequests: 0,
      totalTokensIn: sum('tokensIn'),
      totalTokensOut: sum('tokensOut'),
      totalDurationMs: sum('durationMs'),
      avgDurationMs: Math.round(sum('durationMs') / 3),
    });
  });

  it('step 7 ends the session and pushes its branch', async () => {
    const { status, text } = await curl(...ask(GUIDE.end));
    expect({ status, text }).toEqual({ status: 204, text: '' });
    await eventually(async () => expect(await json(200, GUIDE.poll)).toMatchObject({ status: 'ended' }), 90_000, 250);

    const branch = `reins/${place().ids['sess-jkl012...']}`;
    const { repositories } = place();
    const project = (...args: string[]): string => repositories.git('my-project', ...args);
    expect(project('for-each-ref', '--format=%(refname:short)').split('\n').sort()).toEqual(
      ['feature/new-auth', branch].sort(),
    );
    expect(project('show', `${branch}:REVIEW.md`)).toContain('finding');
    // The branch it began from is as it was.
    expect(project('log', '--format=%s', 'feature/new-auth')).toBe('start');
    expect(project('merge-base', branch, 'feature/new-auth')).toBe(project('rev-parse', 'feature/new-auth'));
  });
}
