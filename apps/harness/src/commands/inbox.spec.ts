import fc from 'fast-check';
import { type Command, type CommandLane } from '@reins/shared/link/frames';
import { CommandInbox } from './inbox';

const abort = (n: number, lane: CommandLane = 'abort'): Command => ({
  type: 'abort',
  sessionId: 's',
  lane,
  n,
  body: { turnId: `t${n}`, reason: 'user' },
});

function inboxWith(start = 0, apply: (command: Command) => Promise<void> = async () => undefined) {
  const cursor = { main: start, abort: start };
  const applied: string[] = [];
  const repeated: number[] = [];
  let gaps = 0;
  const inbox = new CommandInbox({
    apply: async (command) => {
      await apply(command);
      return { ok: true };
    },
    cursor: () => cursor,
    applied: (command, result) => {
      cursor[command.lane] = command.n;
      applied.push(`${command.lane}${command.n}${result.ok ? '' : '!'}`);
    },
    acknowledge: () => undefined,
    repeated: (command) => repeated.push(command.n),
    onGap: () => gaps++,
  });
  return { inbox, applied, repeated, gaps: () => gaps };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

describe('CommandInbox', () => {
  it('applies once and in order, and asks for what is missing', async () => {
    const { inbox, applied, repeated, gaps } = inboxWith();
    inbox.offer(abort(1));
    inbox.offer(abort(3));
    await settle();
    expect(applied).toEqual(['abort1']);
    expect(gaps()).toBeGreaterThan(0);
    inbox.offerAll([abort(2), abort(3)]);
    await settle();
    inbox.offer(abort(2));
    expect(applied).toEqual(['abort1', 'abort2', 'abort3']);
    expect(repeated).toEqual([2]);
  });

  it('goes on where a pull starts, when an earlier harness applied what was before', async () => {
    const { inbox, applied } = inboxWith();
    inbox.offer(abort(5));
    await settle();
    expect(applied).toEqual([]);
    inbox.offerAll([abort(5), abort(6)]);
    await settle();
    expect(applied).toEqual(['abort5', 'abort6']);
  });

  it('never lets a slow command of one lane delay the other', async () => {
    let finish: () => void = () => undefined;
    const { inbox, applied } = inboxWith(0, (command) =>
      command.lane === 'main' ? new Promise((resolve) => (finish = resolve)) : Promise.resolve(),
    );
    inbox.offer(abort(1, 'main'));
    inbox.offer(abort(1));
    await settle();
    expect(applied).toEqual(['abort1']);
    finish();
    await settle();
    expect(applied).toEqual(['abort1', 'main1']);
  });

  it('reports a command that throws and goes on', async () => {
    const { inbox, applied } = inboxWith(0, async (command) => {
      if (command.n === 1) throw new Error('no');
    });
    inbox.offer(abort(1));
    inbox.offer(abort(2));
    await settle();
    expect(applied).toEqual(['abort1!', 'abort2']);
  });

  it('ends with every command applied once, whatever order and repetition they come in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 40 }), async (numbers) => {
        const { inbox, applied } = inboxWith();
        for (const n of numbers) {
          inbox.offer(abort(n));
          await Promise.resolve();
        }
        await settle();
        inbox.offerAll(Array.from({ length: 8 }, (_, i) => abort(i + 1)).slice(applied.length));
        await settle();
        expect(applied).toEqual(Array.from({ length: 8 }, (_, i) => `abort${i + 1}`));
      }),
    );
  });
});
