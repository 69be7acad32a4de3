import type { TaskBackend } from '../backend'
import { assertNoChild } from '../isolation/isolation-options'
import { assertOwnFiles } from '../isolation/own-files'
import type * as taskModules from '../isolation/task-modules'
import type * as processPool from '../isolation/process-pool'
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
import type * as doubtingStore from './doubting-store'
import type * as heartbeats from './chores/heartbeats'
import type * as leases from './chores/leases'
import type * as progress from './chores/progress'
import type * as rescueGate from './chores/rescue-gate'
import type * as rescuer from './chores/rescuer'
import type * as retention from './chores/retention'
import type * as returnUnbegun from './chores/return-unbegun'
import type * as returnUnstarted from './chores/return-unstarted'
import type * as watching from './chores/watching'
import type { Chore } from './chores/chore'
import type { Watch } from './chores/watching'
import type * as taskPool from './pool/task-pool'
import type * as unknownTasks from './unknown-tasks'
import type * as loop from './worker'
import { settingsOf, type WorkerOptions, type WorkerSettings } from './worker-options'

export type { PruneOptions } from './prune-options'

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
}

export type WorkerState = 'running' | 'stopping' | 'ended' | 'failed'

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
  const store = await reaching(() => backend.openStore({ wakeup: (wakeup) => hear(wakeup) }))
  const pool = poolOf(backend, store, settings)
  const worker = workerOn(pool, store, settings, watch)
  hear = (wakeup) => worker.hear(wakeup)
  return {
    start: () => inFreshContext(() => running(worker, settings.workerId)),
    close: () => store.close(),
    running: () => pool.at('running').map(({ row }) => row.values),
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
  const others = queues && known.filter((queue) => !queues.includes(queue))
  if (others && others.length > 0)
    log.info(
      `The queues ${others.join(', ')} of TASKS.${backend.alias} are not served by this worker.`,
    )
}

/** A worker with its pool and its chores. Their code is loaded here: most processes that enqueue run no worker. */
export function workerOf(
  backend: TaskBackend,
  store: Store,
  settings: WorkerSettings,
): loop.Worker {
  return workerOn(poolOf(backend, store, settings), store, settings)
}

function poolOf(
  backend: TaskBackend,
  store: Store,
  { concurrency, isolation }: WorkerSettings,
): taskPool.TaskPool {
  const { Children } = require('../isolation/process-pool') as typeof processPool
  const { TaskPool } = require('./pool/task-pool') as typeof taskPool
  const children = isolation && new Children(isolation)
  return new TaskPool(backend, concurrency, children, store.maxCrashes)
}

function workerOn(
  pool: taskPool.TaskPool,
  opened: Store,
  settings: WorkerSettings,
  watch?: Watch,
): loop.Worker {
  const { Leases } = require('./chores/leases') as typeof leases
  const { ProgressNotes } = require('./chores/progress') as typeof progress
  const { Rescuer } = require('./chores/rescuer') as typeof rescuer
  const { Retention } = require('./chores/retention') as typeof retention
  const { ReturnUnstarted } = require('./chores/return-unstarted') as typeof returnUnstarted
  const { ReturnUnbegun } = require('./chores/return-unbegun') as typeof returnUnbegun
  const { UnknownTasks } = require('./unknown-tasks') as typeof unknownTasks
  const { Worker } = require('./worker') as typeof loop
  const { store, gate, beating } = withRecord(opened, pool, settings)
  const holding = new Leases(store, pool)
  const rescuing = new Rescuer(store, () => holding.caughtUp(), gate)
  const noting = new ProgressNotes(store, pool)
  // A batch ends: nobody would come back to the row.
  const unknown = settings.batch ? null : new UnknownTasks()
  const returning = [new ReturnUnstarted(store, pool), new ReturnUnbegun(store, pool, unknown)]
  const pruning = new Retention(store, pool, () => worker.isStopping)
  const seen = watchingOf(pool, watch)
  const chores = [...beating, holding, noting, ...returning, rescuing, pruning, ...seen]
  const worker = new Worker(store, settings, pool, chores)
  return worker
}

/** The store, the gate and the chore of a worker that has a record, where the store keeps any. */
function withRecord(
  store: Store,
  pool: taskPool.TaskPool,
  settings: WorkerSettings,
): { store: Store; gate?: rescueGate.RescueGate; beating: Chore[] } {
  const { heartbeat, leaseSeconds } = store
  if (!heartbeat) return { store, beating: [] }
  const { DoubtingStore } = require('./doubting-store') as typeof doubtingStore
  const { Heartbeats } = require('./chores/heartbeats') as typeof heartbeats
  const { RescueGate } = require('./chores/rescue-gate') as typeof rescueGate
  const gate = new RescueGate(leaseSeconds * 1000)
  const beating = new Heartbeats(heartbeat, gate, pool, { ...settings, leaseSeconds })
  return { store: new DoubtingStore(store, gate, beating), gate, beating: [beating] }
}

function watchingOf(pool: taskPool.TaskPool, watch: Watch | undefined): Chore[] {
  if (!watch) return []
  const { Watching } = require('./chores/watching') as typeof watching
  return [new Watching(pool, watch)]
}

function running(worker: loop.Worker, workerId: string): RunningWorker {
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
  return {
    workerId,
    stop,
    finished,
    get state() {
      return end ?? (worker.isStopping ? 'stopping' : 'running')
    },
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
