import { AsyncResource } from 'node:async_hooks'

const UNTRACKED = { requireManualDestroy: true }

/** Made when the library is loaded: outside of any request, transaction or task. */
const root = new AsyncResource('typeorm-tasks', UNTRACKED)

/**
 * Calls `work` where every AsyncLocalStorage is empty: a run sees neither what the run before it left, nor the request or
 * the transaction in which its worker was started.
 */
export function inFreshContext<T>(work: () => T): T {
  return root.runInAsyncScope<undefined, T>(inOwnContext, undefined, work)
}

/**
 * Calls `work` in a copy of the caller's context: the caller does not see what `work` sets by `enterWith`. On Node 20 and 22
 * `enterWith` writes to the resource in which it is called, so each call needs a resource of its own.
 */
export function inOwnContext<T>(work: () => T): T {
  return new AsyncResource('typeorm-tasks.run', UNTRACKED).runInAsyncScope(work)
}
