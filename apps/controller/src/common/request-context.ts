import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known about the request that work is done for, wherever that work is. */
interface RequestContext {
  readonly correlationId: string;
  /** Who makes it, once that is verified. */
  principal: string | null;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs the rest of a request, and whatever it starts, in its context. */
export function inRequestContext(correlationId: string, rest: () => void): void {
  storage.run({ correlationId, principal: null }, rest);
}

/** Called by the guard. */
export function noteCaller(principal: string): void {
  const context = storage.getStore();
  if (context !== undefined) context.principal = principal;
}

/** Runs what a request only happens to set off, and what others may join: nothing of it is done in its name. */
export function outsideRequest<T>(work: () => T): T {
  return storage.exit(work);
}

/** Undefined outside of requests: in loops, and in what comes over the harness link. */
export function requestContext(): Readonly<RequestContext> | undefined {
  return storage.getStore();
}
