import { assertNoChild } from '../isolation/isolation-options'
import { type PruneOptions, pruneWishOf } from './prune-options'
import { reaching } from './wait-for-database'
import { backends } from '../backend-registry'
import type { Hint } from '../store'
import type * as loop from './worker'
import { type WorkerOptions, wishOf } from './worker-options'

export type { PruneOptions } from './prune-options'

/** A worker at work in this process. */
export interface RunningWorker {
  /** Its name in `workerIds`. */
  readonly workerId: string
  /** Takes no more tasks, finishes those that run, and resolves as `finished`. */
  stop(): Promise<loop.WorkerReport>
  /** Gives all rows back at once, unfinished; for a process that ends now. Resolves within half a second. */
  leave(): Promise<void>
  /** Resolves when the worker has ended. */
  readonly finished: Promise<loop.WorkerReport>
}

/**
 * Starts a worker in this process; resolves once its database connection stands. A database that cannot be reached is
 * tried again for 10 seconds.
 *
 * @throws InvalidSettingsError for an option out of its range.
 * @throws InvalidBackendError for an unknown alias; NotSupportedError for a backend without workers.
 * @throws DataSourceError or DatabaseError if the table or the database is not there.
 */
export async function startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
  return (await openWorker(options)).start()
}

/** A worker whose database connection stands, before its first look at the table. One that is not started must be closed. */
export interface OpenWorker {
  start(): RunningWorker
  close(): Promise<void>
}

/** The first half of `startWorker`, which throws the same. */
export async function openWorker(options: WorkerOptions = {}): Promise<OpenWorker> {
  assertNoChild()
  const wish = wishOf(options)
  const backend = backends.get(wish.backend)
  let hear = (_hint: Hint): void => {}
  const store = await reaching(() => backend.openStore({ hint: (hint) => hear(hint) }))
  const { Worker } = require('./worker') as typeof loop // only now: most processes that enqueue run none
  const worker = new Worker(backend, store, wish)
  hear = (hint) => worker.hear(hint)
  return { start: () => running(worker, wish.workerId), close: () => store.close() }
}

function running(worker: loop.Worker, workerId: string): RunningWorker {
  const finished = worker.run()
  // Whoever awaits `finished` hears of a failure; who does not must not be killed by it.
  finished.catch(() => {})
  const stop = (): Promise<loop.WorkerReport> => (worker.stop(), finished)
  return { workerId, stop, leave: () => worker.leave(), finished }
}

/** Runs what is ready, and what that enqueues, until nothing is left. Takes the options of a worker. */
export async function runUntilEmpty(
  options: Omit<WorkerOptions, 'batch'> = {},
): Promise<loop.WorkerReport> {
  const { finished } = await startWorker({ ...options, batch: true })
  return finished
}

/**
 * Deletes finished results of a certain age, 14 days by default, and gives their number.
 *
 * @throws InvalidSettingsError for an option out of its range.
 */
export async function pruneResults(options: PruneOptions = {}): Promise<number> {
  const wish = pruneWishOf(options)
  const store = await backends.get(options.backend ?? 'default').openStore({})
  try {
    return await store.prune(wish)
  } finally {
    await store.close()
  }
}
