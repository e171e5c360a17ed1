import { existsSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, type Readable } from 'node:stream';
import { CHILD_ARGUMENT, CONTROL_FD, EVENTS_FD } from '../../apps/harness/src/drivers/javascript/messages';

jest.setTimeout(180_000);

const ROOT = join(__dirname, '../..');
const ENTRY = join(ROOT, 'dist/apps/harness/main.js');

describe('javascript child in the built harness', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reins-js-'));
    // Only where it is missing: another test may be running from the same build.
    if (existsSync(ENTRY)) return;
    const build = spawn('npx', ['nest', 'build', 'harness'], { cwd: ROOT, stdio: 'ignore' });
    expect(await once(build, 'exit')).toEqual([0, null]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('runs from the one bundle with a marker, keeps its context, and goes when the harness goes', async () => {
    const child = spawn(process.execPath, [ENTRY, CHILD_ARGUMENT], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe'],
    });
    const exited = once(child, 'exit');
    const control = child.stdio[CONTROL_FD] as Duplex;
    const events = child.stdio[EVENTS_FD] as Readable;
    let said = '';
    events.setEncoding('utf8').on('data', (text: string) => (said += text));
    const until = async (part: string): Promise<void> => {
      while (!said.includes(part)) await once(events, 'data');
    };
    await until('"ready"');
    const sources = ['let kept = 1; console.log("printed")', 'kept + 41', 'while (true) {}', '"alive"'];
    for (const [run, source] of sources.entries()) {
      control.write(`${JSON.stringify({ type: 'run', run, source, cpuMs: 500, wallMs: 5_000, residentBytes: 1e9 })}\n`);
      await until(`"done","run":${run}`);
    }
    expect(said).toContain('"text":"printed"');
    expect(said).toContain('"text":"42"');
    expect(said).toContain('"run":2,"reason":"cpu_limit"');
    expect(said).toContain('"text":"alive"');
    control.destroy();
    expect(await exited).toEqual([null, 'SIGKILL']);
  });
});
