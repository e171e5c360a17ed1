import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type EventItem } from '@reins/shared/link/events';
import { type Welcome } from '@reins/shared/link/frames';
import { type NewEvent } from './event-channel';

type Verdicts = Pick<Welcome['sessions'][number], 'turns' | 'before'>;

export interface LeftoversOptions {
  /** Holds one folder for each incarnation. */
  directory: string;
  /** This process's own; its folder is no leftover. */
  incarnation: string;
  publish: (event: NewEvent) => Promise<unknown>;
}

/**
 * What earlier processes spooled for the session and perhaps could not send. The controller says how far the last of
 * them came, and which of their turns still count; the rest is sent under numbers of this process, and what cannot be
 * sent any more is declared.
 */
export class Leftovers {
  private readonly found: { incarnation: string; items: EventItem[] }[];
  private isSettled = false;

  constructor(private readonly options: LeftoversOptions) {
    const { directory, incarnation } = options;
    this.found = foldersIn(directory)
      .filter((name) => name !== incarnation)
      .map((name) => ({ incarnation: name, items: eventsIn(join(directory, name)) }));
  }

  /** Turns that had ended before their process did: only the controller has not heard it. */
  get endedTurns(): { turnId: string; generation: number }[] {
    if (this.isSettled) return [];
    return this.found.flatMap(({ items }) =>
      items.flatMap(({ type, turnId, generation }) =>
        type === 'turn.completed' && turnId !== undefined && generation !== undefined ? [{ turnId, generation }] : [],
      ),
    );
  }

  /** The controller's view of them, once; the folders are then removed. */
  async settle({ turns, before }: Verdicts): Promise<void> {
    if (this.isSettled) return;
    this.isSettled = true;
    let lost = 0;
    for (const { incarnation, items } of this.found) {
      const isKnown = incarnation === before?.incarnation;
      const unheard = items.filter(({ n }) => !isKnown || n > before.acked);
      const sendable = unheard.filter(
        ({ turnId, generation }) =>
          isKnown && (turnId === undefined || turns.some((turn) => goesOn(turn, turnId, generation))),
      );
      for (const { n: _n, ...event } of sendable) await this.options.publish(event);
      lost += unheard.length - sendable.length;
    }
    if (lost > 0) {
      const message = `${lost} events of an earlier process of the harness could not be sent: it ended before they were heard, and their turns are over`;
      await this.options.publish({ type: 'log', data: { level: 'warn', message } });
    }
    for (const { incarnation } of this.found.splice(0)) {
      rmSync(join(this.options.directory, incarnation), { recursive: true, force: true });
    }
  }
}

function goesOn(turn: Verdicts['turns'][number], turnId: string, generation: number | undefined): boolean {
  return turn.turnId === turnId && turn.generation === generation && turn.verdict === 'continue';
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** In the order of their numbers. A line that was cut by the end of its process is none. */
function eventsIn(folder: string): EventItem[] {
  const items = foldersIn(folder).flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .flatMap((line) => parsed(line) ?? []),
  );
  const byNumber = new Map(items.map((item) => [item.n, item]));
  return [...byNumber.values()].sort((a, b) => a.n - b.n);
}

function parsed(line: string): EventItem | undefined {
  try {
    const item: unknown = JSON.parse(line);
    return typeof item === 'object' && item !== null && 'n' in item ? (item as EventItem) : undefined;
  } catch {
    return undefined;
  }
}
