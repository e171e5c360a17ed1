import { promisify } from 'node:util';

/** Puts tracked timers into the global scope, so that a turn lasts as long as its timers and leaves none behind. */
export class TrackedTimers {
  private readonly pending = new Set<NodeJS.Timeout | NodeJS.Immediate>();
  private idle: (() => void) | undefined;

  install(): void {
    const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
    const track = <T extends NodeJS.Timeout | NodeJS.Immediate>(handle: T): T => {
      this.pending.add(handle);
      return handle;
    };
    const once = <T extends NodeJS.Timeout | NodeJS.Immediate>(
      start: (run: (...args: unknown[]) => void) => T,
      run: Callback,
    ): T => {
      const handle = start((...args) => {
        this.settle(handle);
        run(...args);
      });
      return track(handle);
    };
    const clearing = (clear: (handle: never) => void) => (handle: unknown) => {
      clear(handle as never);
      this.settle(this.find(handle));
    };
    const replaced = {
      setTimeout: Object.assign(
        (run: Callback, ms?: number, ...args: unknown[]) => once((call) => setTimeout(call, ms, ...args), run),
        { [promisify.custom]: promisify(setTimeout) },
      ),
      setInterval: (run: Callback, ms?: number, ...args: unknown[]) => track(setInterval(run, ms, ...args)),
      setImmediate: Object.assign(
        (run: Callback, ...args: unknown[]) => once((call) => setImmediate(call, ...args), run),
        { [promisify.custom]: promisify(setImmediate) },
      ),
      clearTimeout: clearing(clearTimeout),
      clearInterval: clearing(clearInterval),
      clearImmediate: clearing(clearImmediate),
    };
    Object.assign(globalThis, replaced);
    this.clearAll = () => {
      for (const handle of this.pending) {
        clearTimeout(handle as NodeJS.Timeout);
        clearImmediate(handle as NodeJS.Immediate);
      }
      this.pending.clear();
      this.settle(undefined);
    };
  }

  /** Resolves when no timer is pending. */
  async none(): Promise<void> {
    if (this.pending.size === 0) return;
    await new Promise<void>((resolve) => (this.idle = resolve));
  }

  clearAll: () => void = () => undefined;

  private settle(handle: NodeJS.Timeout | NodeJS.Immediate | undefined): void {
    if (handle !== undefined) this.pending.delete(handle);
    if (this.pending.size > 0) return;
    this.idle?.();
    this.idle = undefined;
  }

  /** Timers may be cleared by their number too. */
  private find(handle: unknown): NodeJS.Timeout | NodeJS.Immediate | undefined {
    return [...this.pending].find((one) => one === handle || (typeof handle === 'number' && Number(one) === handle));
  }
}

type Callback = (...args: unknown[]) => void;
