import { InvalidSettingsError } from '../errors/errors'
import { type Isolation, type IsolationOptions, isolationOf } from '../isolation/isolation-options'
import {
  ALIAS,
  ANYTHING,
  MILLISECONDS,
  type OptionTable,
  type Rule,
  QUEUE_NAMES,
  QUEUE_NAMES_OR_ALL,
  TRUE_OR_FALSE,
  completed,
  or,
  printable,
  row,
  settingsSubject,
  wholeNumber,
} from '../errors/option-checks'
import { randomWorkerId } from './worker-id'
import type { ClaimFilter } from '../store'

export interface WorkerOptions {
  /** The alias in TASKS of the backend to serve. Default `'default'`. */
  backend?: string | undefined
  /** Queues to serve, or `'*'` for all. Default `['default']`. */
  queues?: readonly string[] | '*' | undefined
  /** Queues to leave alone; only with `queues: '*'`. */
  excludeQueues?: readonly string[] | undefined
  /** Milliseconds between polls while no task is due. Default 1000. */
  interval?: number | undefined
  /** Ends when nothing is left to run. Default false. */
  batch?: boolean | undefined
  /** Ends after this many tasks. Default: never. */
  maxTasks?: number | undefined
  /** At most 64 characters. Default: random. */
  workerId?: string | undefined
  /** Tasks run at a time. Default 10. */
  concurrency?: number | undefined
  /** Milliseconds that running tasks have to finish at a stop. Default 30000. */
  shutdownTimeout?: number | undefined
  /** Fires the schedules whose task has its backend, unless it is a batch. Default true. */
  schedules?: boolean | undefined
  /** Upper limit in milliseconds of a random delay at the start, so that many workers do not poll at once. Default 0. */
  startupDelay?: number | undefined
  /**
   * Globs of files that define tasks, relative to the folder of the app's package.json, or names of packages: loaded before
   * the worker starts. Default: none, for an app that imports its tasks itself.
   */
  taskModules?: string | readonly string[] | undefined
  /** Where child processes find the app; needed for tasks with `isolate: true`. */
  isolation?: IsolationOptions | undefined
}

/** The options of a worker, checked and complete. Durations in ms. */
export interface WorkerSettings extends ClaimFilter {
  /** No other worker has its id. */
  readonly hasRandomId: boolean
  readonly backend: string
  readonly interval: number
  readonly batch: boolean
  readonly maxTasks: number
  readonly concurrency: number
  readonly shutdownTimeout: number
  readonly startupDelay: number
  readonly schedules: boolean
  readonly isolation: Isolation | null
  readonly taskModules: readonly string[]
}

export const MAX_WORKER_ID = 64

const TASK_MODULES: Rule = {
  expected: 'globs of files that define tasks',
  isSound: (value) => [value].flat().every((each) => typeof each === 'string' && each !== ''),
  hint: "Write e.g. taskModules: ['dist/**/*.tasks.js'].",
}

/** Every option of a worker, its default and what it must be. */
export const WORKER_OPTIONS = {
  backend: row('default', ALIAS),
  queues: row<readonly string[] | '*'>(['default'], QUEUE_NAMES_OR_ALL),
  excludeQueues: row<readonly string[]>([], QUEUE_NAMES),
  interval: row(1_000, MILLISECONDS),
  batch: row(false, TRUE_OR_FALSE),
  maxTasks: row(Number.POSITIVE_INFINITY, or(Number.POSITIVE_INFINITY, wholeNumber(0))),
  workerId: row<string | undefined>(undefined, or(undefined, printable(MAX_WORKER_ID))),
  concurrency: row(10, wholeNumber(1)),
  shutdownTimeout: row(30_000, MILLISECONDS),
  startupDelay: row(0, MILLISECONDS),
  schedules: row(true, TRUE_OR_FALSE),
  taskModules: row<string | readonly string[]>([], TASK_MODULES),
  /** Checked by `isolationOf`. */
  isolation: row<IsolationOptions | undefined>(undefined, ANYTHING),
} satisfies OptionTable<WorkerOptions>

/** @throws InvalidSettingsError naming the option, what was expected and what was found. */
export function settingsOf(options: WorkerOptions): WorkerSettings {
  const given = completed(settingsSubject('Worker'), options, WORKER_OPTIONS)
  const queues = allOr(given.queues)
  if (queues !== null && given.excludeQueues.length > 0)
    throw new InvalidSettingsError(
      'Worker: excludeQueues goes with all queues only.',
      "Set queues to '*', or leave excludeQueues out.",
    )
  return {
    ...given,
    queues,
    taskModules: [given.taskModules].flat(),
    workerId: given.workerId ?? randomWorkerId(),
    hasRandomId: given.workerId === undefined,
    isolation: given.isolation === undefined ? null : isolationOf(given.isolation),
  }
}

/** Null for all queues, also where `'*'` is one of a list. */
export function allOr(queues: readonly string[] | '*'): readonly string[] | null {
  return queues === '*' || queues.includes('*') ? null : queues
}

/** Whether a worker of these settings serves the queue. */
export function serves({ queues, excludeQueues }: WorkerSettings, queue: string): boolean {
  return queues === null ? !excludeQueues.includes(queue) : queues.includes(queue)
}
