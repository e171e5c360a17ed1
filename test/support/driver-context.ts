import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DriverContext, type EventSink } from '../../apps/harness/src/drivers/driver.port';
import { type HarnessEventData, type HarnessEventType } from '../../libs/shared/src/link';

export type Recorded = { [T in HarnessEventType]: { type: T; data: HarnessEventData<T> } }[HarnessEventType];

/** A sink that keeps what it is given and lets a test wait for it. */
export class RecordingSink implements EventSink {
  readonly events: Recorded[] = [];
  private watchers: (() => void)[] = [];

  async emit<T extends HarnessEventType>(type: T, data: HarnessEventData<T>): Promise<void> {
    this.events.push({ type, data } as Recorded);
    for (const watch of this.watchers) watch();
  }

  of<T extends HarnessEventType>(type: T): HarnessEventData<T>[] {
    return this.events.filter((event) => event.type === type).map((event) => event.data as HarnessEventData<T>);
  }

  get text(): string {
    return this.of('text')
      .map((data) => data.text)
      .join('');
  }

  /** Resolves as soon as `count` events of this type have come. */
  async until(type: HarnessEventType, count = 1): Promise<void> {
    const enough = (): boolean => this.of(type).length >= count;
    if (enough()) return;
    await new Promise<void>((resolve) => this.watchers.push(() => enough() && resolve()));
  }
}

export interface TestContext {
  context: DriverContext;
  /** Lines the driver logged. */
  logged: string[];
  remove(): Promise<void>;
}

/** A driver's context in temporary folders. */
export async function testContext(overrides: Partial<DriverContext> = {}): Promise<TestContext> {
  const root = await mkdtemp(join(tmpdir(), 'reins-driver-'));
  const [workspace, stateDir] = [join(root, 'workspace'), join(root, 'state')];
  await Promise.all([workspace, stateDir].map((folder) => mkdir(folder)));
  const logged: string[] = [];
  const log = (message: string): void => void logged.push(message);
  const context: DriverContext = {
    session: {
      id: 'sess-test',
      workerId: 'worker-test',
      cliType: 'test',
      modelConfig: null,
      repository: null,
      workerRepo: null,
      resume: null,
      limits: {
        turnTimeoutMs: 60_000,
        turnIdleMs: 60_000,
        cpuMs: 2_000,
        wallMs: 5_000,
        memoryBytes: 128 * 1024 * 1024,
      },
    },
    lane: 'main',
    workspace,
    stateDir,
    instruction: '',
    settings: {},
    allowedTools: [],
    mcpServers: {},
    env: { PATH: process.env.PATH ?? '', HOME: root, TMPDIR: root },
    resumeId: undefined,
    log: { debug: log, info: log, warn: log },
    ...overrides,
  };
  return { context, logged, remove: () => rm(root, { recursive: true, force: true, maxRetries: 5 }) };
}
