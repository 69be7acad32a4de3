import type { TaskBackend } from '../backend'
import { assertNoChild } from '../isolation/isolation-options'
import { assertOwnFiles } from '../isolation/own-files'
import type * as taskModules from '../isolation/task-modules'
import { type PruneOptions, pruneQueryOf, pruneSettingsOf } from './prune-options'
import { beforeLastSignal } from './last-signal'
import { reaching } from './wait-for-database'
import { briefly } from '../errors/error-record'
import { InvalidSettingsError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'
import { log } from '../events/logger'
import { inFreshContext } from '../execution/run-context'
import { backends } from '../backend-registry'
import type { Wakeup, Store } from '../store'
import type { Watch } from './chores/watching'
import { atWork, type WorkerAtWork } from '../telemetry/facts'
import { untraced } from '../telemetry/tracer'
import type * as assemble from './assemble'
import type { TaskPool } from './pool/task-pool'
import { measured } from './stores/measured-store'
import type * as loop from './worker'
import type { Pulse } from './health/pulse'
import type { WorkerHealth, WorkerState } from './health/worker-health'
import { settingsOf, type WorkerOptions, type WorkerSettings } from './worker-options'

export type { PruneOptions } from './prune-options'
export type { WorkerHealth, WorkerState }

export interface StopOptions {
  /** Does not wait for running tasks: their rows are given back unfinished. Default false. */
  force?: boolean | undefined
}

/** A worker at work in this process. */
export interface RunningWorker {
  /** Its name in `workerIds`. */
  readonly workerId: string
  /**
   * Takes no more tasks, finishes those that run, and resolves as `finished`. With `force`, for a process that ends now,
   * it aborts the runs and gives all rows back, and resolves within half a second. It may follow a `stop` without.
   */
  stop(options?: StopOptions): Promise<loop.WorkerReport>
  /** Resolves when the worker has ended. Rejects if it failed. */
  readonly finished: Promise<loop.WorkerReport>
  /**
   * `'running'` until it is told to stop, `'stopping'` while it finishes what runs, then `'ended'`. `'failed'` if it ended by
   * an error that no retry could fix, as when its table is gone.
   */
  readonly state: WorkerState
  /** How it is, for a probe of your own process. It asks nothing of the database, and never throws. */
  health(): WorkerHealth
}

/**
 * Starts a worker in this process; resolves once its database connection stands. A database that cannot be reached is
 * tried again for 10 seconds.
 *
 * @throws InvalidSettingsError for an option out of its range.
 * @throws InvalidBackendError for an unknown alias; NotSupportedError for a backend without workers, and for `isolation` in a bundle.
 * @throws LoadError for `taskModules` that match no file, or do not load.
 * @throws DataSourceError or DatabaseError if the table or the database is not there.
 *
 * A worker that fails later says so in one line of the log, in its `state` and by `finished`.
 */
export async function startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
  const worker = (await openWorker(options)).start()
  // An app seldom waits for the end of its worker, and all else in the process goes on.
  worker.finished.catch((error: unknown) =>
    log.error(`The worker ${worker.workerId} has failed and runs no more tasks: ${briefly(error)}`),
  )
  return worker
}

/** A worker whose database connection stands, before its first look at the table. One that is not started must be closed. */
export interface OpenWorker {
  start(): RunningWorker
  close(): Promise<void>
  /** The tasks that run at present. */
  running(): { readonly id: string; readonly taskName: string }[]
}

/** The first half of `startWorker`, which throws the same. `watch` sees the progress of the running tasks. */
export function openWorker(options: WorkerOptions = {}, watch?: Watch): Promise<OpenWorker> {
  // A worker outlives the request or the transaction that starts it.
  return inFreshContext(() => opened(options, watch))
}

async function opened(options: WorkerOptions, watch?: Watch): Promise<OpenWorker> {
  assertNoChild()
  const settings = settingsOf(options)
  if (settings.isolation) assertOwnFiles()
  const { loadTaskModules } = require('../isolation/task-modules') as typeof taskModules
  await loadTaskModules(settings.taskModules)
  const backend = backends.get(settings.backend)
  assertServed(settings, backend)
  let hear = (_wakeup: Wakeup): void => {}
  const wakeup = (heard: Wakeup): void => hear(heard)
  const store = measured(
    await reaching(() => untraced(() => backend.openStore({ wakeup }))),
    backend.alias,
  )
  const { poolOf, workerOn } = assembling()
  const pool = poolOf(backend, store, settings)
  const { worker, pulse } = workerOn(pool, store, settings, watch)
  hear = (wakeup) => worker.hear(wakeup)
  return {
    start: () => {
      sayNotServed(settings, backend)
      const begun = inFreshContext(() => untraced(() => running(worker, pulse, settings.workerId)))
      const leave = atWork(seenOf(pool, settings))
      void begun.finished.then(leave, leave)
      return begun
    },
    close: () => store.close(),
    running: () => pool.at('running').map(({ row }) => row.values),
  }
}

/** What metrics show of a worker. */
function seenOf(pool: TaskPool, { workerId, backend, concurrency }: WorkerSettings): WorkerAtWork {
  const running = (): number => pool.at('running').length + pool.at('committing').length
  return {
    workerId,
    backend,
    concurrency,
    get running() {
      return running()
    },
  }
}

/** @throws InvalidSettingsError for a queue that TASKS does not have: nothing would ever be in it. */
function assertServed({ queues, excludeQueues }: WorkerSettings, backend: TaskBackend): void {
  const known = backend.settings.queues
  if (known.length === 0) return
  const wrong = [...(queues ?? []), ...excludeQueues].find((queue) => !known.includes(queue))
  if (wrong !== undefined)
    throw new InvalidSettingsError(
      `Worker: queue ${shown(wrong)} is not in QUEUES of TASKS.${backend.alias} (${known.join(', ')}).`,
      didYouMean(wrong, known) ?? 'Add it there, or choose one of them.',
    )
}

/** Once it starts: of a worker that does not, something else is wrong, which is told first. */
function sayNotServed({ queues }: WorkerSettings, { alias, settings }: TaskBackend): void {
  const others = queues && settings.queues.filter((queue) => !queues.includes(queue))
  if (others && others.length > 0)
    log.info(`The queues ${others.join(', ')} of TASKS.${alias} are not served by this worker.`)
}

/** A worker with its pool and its chores. */
export function workerOf(
  backend: TaskBackend,
  store: Store,
  settings: WorkerSettings,
): loop.Worker {
  const { poolOf, workerOn } = assembling()
  return workerOn(poolOf(backend, store, settings), store, settings).worker
}

/** Late: most processes that enqueue run no worker. */
function assembling(): typeof assemble {
  return require('./assemble') as typeof assemble
}

function running(worker: loop.Worker, pulse: Pulse, workerId: string): RunningWorker {
  const finished = worker.run()
  let end: 'ended' | 'failed' | undefined
  // A process that does not await `finished` must not die of an unhandled rejection.
  void finished.then(
    () => (end = 'ended'),
    () => (end = 'failed'),
  )
  const stop = ({ force = false }: StopOptions = {}): Promise<loop.WorkerReport> => {
    if (force) return worker.forceStop()
    if (!worker.isStopping) {
      const ignoreSignals = beforeLastSignal(() => worker.forceStop())
      void finished.catch(() => {}).finally(ignoreSignals)
    }
    worker.stop()
    return finished
  }
  const stateOf = (): WorkerState => end ?? (worker.isStopping ? 'stopping' : 'running')
  return {
    workerId,
    stop,
    finished,
    get state() {
      return stateOf()
    },
    health: () => pulse.health(stateOf()),
  }
}

/** Runs what is ready, and what that enqueues, until nothing is left. Takes the options of a worker. */
export async function runUntilEmpty(
  options: Omit<WorkerOptions, 'batch'> = {},
): Promise<loop.WorkerReport> {
  return (await openWorker({ ...options, batch: true })).start().finished
}

/**
 * Deletes finished results of a certain age, and gives their number. Tasks with `keepResults` have their own age, whatever
 * is asked for here.
 *
 * @throws InvalidSettingsError for an option out of its range.
 */
export async function pruneResults(options: PruneOptions = {}): Promise<number> {
  const settings = pruneSettingsOf(options)
  const backend = backends.get(settings.backend)
  const store = await backend.openStore({})
  try {
    return await store.prune(pruneQueryOf(settings, backend.retention))
  } finally {
    await store.close()
  }
}
