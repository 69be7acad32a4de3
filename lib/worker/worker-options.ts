import { InvalidSettingsError } from '../errors/errors'
import { type Isolation, type IsolationOptions, isolationOf } from '../isolation/isolation-options'
import {
  assertKnown,
  flag,
  milliseconds,
  queueNames,
  queuesMeant,
  unexpected,
} from '../settings/option-checks'
import { randomWorkerId } from './worker-id'
import type { Wishes } from '../store'

export interface WorkerOptions {
  /** The alias in TASKS of the backend to serve. Default `'default'`. */
  backend?: string
  /** Queues to serve, or `'*'` for all. Default `['default']`. */
  queues?: readonly string[] | '*'
  /** Queues to leave alone; only with `queues: '*'`. */
  excludeQueues?: readonly string[]
  /** Milliseconds between looks for new tasks when there was nothing to do. Default 1000. */
  interval?: number
  /** Ends when nothing is left to run. Default false. */
  batch?: boolean
  /** Ends after so many tasks. Default: never. */
  maxTasks?: number
  /** At most 64 characters. Default: random. */
  workerId?: string
  /** Tasks run at a time. Default 10. */
  concurrency?: number
  /** Milliseconds that running tasks have to finish at a stop. Default 30000. */
  shutdownTimeout?: number
  /** A random wait of up to so many milliseconds at the start, so that many workers do not ask at once. Default 0. */
  startupDelay?: number
  /** Where child processes find the app; needed for tasks with `isolate: true`. */
  isolation?: IsolationOptions
}

/** The options of a worker, checked and complete. Durations in ms. */
export interface WorkerSettings extends Wishes {
  readonly backend: string
  readonly interval: number
  readonly batch: boolean
  readonly maxTasks: number
  readonly concurrency: number
  readonly shutdownTimeout: number
  readonly startupDelay: number
  readonly isolation: Isolation | null
}

const MAX_WORKER_ID = 64
const DEFAULTS = {
  backend: 'default',
  queues: ['default'] as readonly string[] | '*',
  excludeQueues: [] as readonly string[],
  interval: 1_000,
  batch: false,
  maxTasks: Number.POSITIVE_INFINITY,
  workerId: undefined as string | undefined,
  concurrency: 10,
  shutdownTimeout: 30_000,
  startupDelay: 0,
  isolation: undefined as IsolationOptions | undefined,
}
const NAMES = Object.keys(DEFAULTS)

/** @throws InvalidSettingsError naming the option, what was expected and what was found. */
export function settingsOf(options: WorkerOptions): WorkerSettings {
  assertKnown('Worker', options, NAMES)
  const given: typeof DEFAULTS = {
    ...DEFAULTS,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  }
  return {
    backend: aliasOf(given.backend),
    batch: flag('Worker', 'batch', given.batch),
    workerId: given.workerId === undefined ? randomWorkerId() : workerIdOf(given.workerId),
    ...queuesOf(given),
    interval: milliseconds('Worker', 'interval', given.interval),
    maxTasks:
      given.maxTasks === Number.POSITIVE_INFINITY
        ? given.maxTasks
        : whole('maxTasks', given.maxTasks, 0),
    concurrency: whole('concurrency', given.concurrency, 1),
    shutdownTimeout: milliseconds('Worker', 'shutdownTimeout', given.shutdownTimeout),
    startupDelay: milliseconds('Worker', 'startupDelay', given.startupDelay),
    isolation: given.isolation === undefined ? null : isolationOf(given.isolation),
  }
}

function queuesOf(
  given: Pick<typeof DEFAULTS, 'queues' | 'excludeQueues'>,
): Pick<WorkerSettings, 'queues' | 'excludeQueues'> {
  const queues = queuesMeant('Worker', given.queues)
  const excludeQueues = queueNames('Worker', 'excludeQueues', given.excludeQueues)
  if (queues !== null && excludeQueues.length > 0)
    throw new InvalidSettingsError(
      'Worker: excludeQueues goes with all queues only.',
      "Set queues to '*', or leave excludeQueues out.",
    )
  return { queues, excludeQueues }
}

function aliasOf(backend: unknown): string {
  if (typeof backend === 'string') return backend
  throw unexpected('Worker', 'backend', 'an alias of TASKS', backend)
}

function workerIdOf(id: unknown): string {
  if (
    typeof id === 'string' &&
    id.length > 0 &&
    id.length <= MAX_WORKER_ID &&
    /^\P{Cc}+$/u.test(id)
  )
    return id
  throw unexpected('Worker', 'workerId', `1 to ${MAX_WORKER_ID} printable characters`, id)
}

function whole(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw unexpected('Worker', name, `a whole number, ${least} or more`, value)
}
