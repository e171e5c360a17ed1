import { startEmbeddedMongo } from '@reins/embedded-mongo';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@reins/shared/util';
import { ApiClient, credentialsOf, eventually } from '../support/api-client';
import { type BuiltController, startBuiltController } from '../support/processes';
import { endOf, ScriptedHarness, textOf } from '../support/scripted-harness';

const HARNESS_COMMAND = JSON.stringify([process.execPath, join(__dirname, '../support/idle-harness.mjs')]);

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

describe('controllers in processes of their own', () => {
  it('a killed leader is followed by the other one, where its harness and its turn go on', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'reins-replicas-'));
    const engine = await startEmbeddedMongo({ dir: join(dir, 'engine'), port: 0 });
    const started: BuiltController[] = [];
    try {
      const start = async (): Promise<BuiltController> => {
        const MONGODB_URI = `${engine.uri.replace(/\/$/, '')}/replicas`;
        const env = { MONGODB_URI, HARNESS_COMMAND, REPLICA_LEASE_MS: '3000' };
        const controller = await startBuiltController({ dataDir: dir, env });
        started.push(controller);
        return controller;
      };
      const [a, b] = [await start(), await start()];
      expect(await metric(a.url, 'reins_leader')).toBe(1);
      expect(await metric(b.url, 'reins_leader')).toBe(0);
      const [apiA, apiB] = [new ApiClient(a.url), new ApiClient(b.url)];
      const { id } = await apiA.session(await apiA.worker());
      const first = await ScriptedHarness.connect(a.url, await credentialsOf(dir, id));
      await first.start();
      const answer = apiB.prompt(id, 'go');
      const turn = await first.take();
      await first.push(1, [textOf(turn, 'before ')]);
      await a.kill();
      await eventually(async () => expect(await metric(b.url, 'reins_leader')).toBe(1), 10_000);
      const second = await ScriptedHarness.connect(b.url, first.credentials, first.incarnation);
      const held = { turnId: turn.turnId, generation: turn.generation, state: 'running' as const };
      const welcome = await second.hello({ next: 2, spooledFrom: 2, turns: [held] });
      expect(welcome.sessions[0]).toMatchObject({ acked: 1, turns: [{ verdict: 'continue' }] });
      await second.push(2, [textOf(turn, 'after'), endOf(turn)]);
      expect(await answer).toMatchObject({ response: 'before after' });
      // Once more than it looks for orphans: the living harness of the dead controller is not declared dead.
      await systemClock.sleep(6_000);
      expect(await apiB.get(id)).toMatchObject({ status: 'active', phase: 'ready' });
      expect((await apiB.log(id)).map(({ seq }) => seq)).toEqual((await apiB.log(id)).map((_, index) => index + 1));
      second.close();
    } finally {
      for (const controller of started) await controller.stop();
      await engine.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 120_000);
});
