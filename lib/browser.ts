import type { TaskStatus } from './row/record'
import type { SlotRow } from './row/slot'
import type { TaskResult } from './result'

/**
 * What somebody who looks at all tasks of a backend needs beside its verbs for one result: pages, counts and a history, each
 * bounded in rows and in time, on connections of its own where there are some. A dashboard opens one and closes it.
 */
export interface Browser {
  /** Tasks, the newest first, as far as they were looked for. */
  tasks(query: TaskQuery): Promise<TaskPage>
  /** One task. @throws ResultNotFoundError */
  result(id: string): Promise<TaskResult<unknown>>
  /** The newest slot of a schedule that was enqueued, by the schedule's id. @throws NotSupportedError where slots are not kept */
  newestSlot(schedule: string): Promise<SlotRow | null>
  /** The instant by the backend's clock. */
  now(): Promise<Date>
  /** Each queue that has a task that is not finished, that a worker serves, that is paused, or that the settings name. */
  queues(): Promise<readonly QueueState[]>
  /** Null: the backend keeps no records of workers. */
  workers(): Promise<readonly WorkerState[] | null>
  /**
   * What became of the tasks enqueued in a time, in steps of equal length, the oldest first.
   *
   * @throws NotSupportedError where ids do not tell when tasks were enqueued; InvalidTaskError for times or steps that are none
   */
  history(query: HistoryQuery): Promise<readonly HistoryStep[]>
  /** The tasks before and after one in its flow; null: it is in none. */
  flow(id: string): Promise<FlowAround | null>
  /**
   * Deletes tasks that have finished, or never began, unless others need them: one that waits or runs in a flow, or the newest
   * run of a schedule. Resolves to the ids of those that are gone.
   */
  remove(ids: readonly string[]): Promise<readonly string[]>
  /** Sets the priority of tasks that are READY. Resolves to the ids of those that have it now. */
  prioritise(ids: readonly string[], priority: number): Promise<readonly string[]>
  close(): Promise<void>
}

/** READY is three states to people: due; `LATER`, due at a time to come; `WAITING`, for others of its flow. */
export type TaskState = TaskStatus | 'DUE' | 'LATER' | 'WAITING'

export interface TaskQuery {
  /** The greatest number of tasks to give. */
  readonly limit: number
  readonly state?: TaskState | undefined
  readonly queue?: string | undefined
  readonly taskName?: string | undefined
  /** A worker that has run it. */
  readonly workerId?: string | undefined
  /** The class of the error that it is FAILED with, as in `exceptionClassPath`. */
  readonly error?: string | undefined
  /** Values in its arguments: a path such as `0.user.id` or `user.id`, and what stands there, written as text. */
  readonly args?: readonly ArgumentQuery[] | undefined
  /** A text in its arguments, its name or its error, in any case of letters. */
  readonly text?: string | undefined
  /** Enqueued at this instant or later. */
  readonly from?: Date | undefined
  /** Enqueued before this instant. */
  readonly to?: Date | undefined
  /** Only tasks for which it is true. It is asked before `args` and `text` are compared, so that of others nothing can be told. */
  readonly isShown?:
    ((task: Pick<TaskResult<unknown>, 'taskName' | 'queueName'>) => boolean) | undefined
  /** Only tasks older than the one of this id: for the next page, `next` of the one before. */
  readonly before?: string | undefined
  /** The greatest number of tasks to look at. */
  readonly within: number
}

export interface ArgumentQuery {
  readonly path: string
  readonly value: string
}

/** What a list has in the place of arguments that were too large to be read for it, as their only one. */
export const NOT_READ = '[too large for a list]'

export interface TaskPage {
  /**
   * May be none though there is a `next`: then none was among those that were looked at. They may be without their return
   * values and without long errors, and with `NOT_READ` in the place of large arguments: `result` gives all of one.
   */
  readonly tasks: readonly TaskResult<unknown>[]
  /** `before` of the next page; null: all have been looked at. */
  readonly next: string | null
  /** The instant up to which was looked, where the limit of rows or of time came before the page was full; else null. */
  readonly searchedTo: Date | null
}

export interface QueueState {
  readonly name: string
  /** Counts of tasks that are not finished, each up to MOST_COUNTED. */
  readonly due: number
  readonly later: number
  readonly waiting: number
  readonly running: number
  /** For how many ms the one that has been due for longest has been so; null: none is due. */
  readonly oldestDueMs: number | null
  readonly paused: Pause | null
  /** Whether a worker that is at work serves it; null: the backend keeps no records of workers. */
  readonly isServed: boolean | null
  /** How many of those that are due or later wait in the app's database for a relay; absent: the backend has none. */
  readonly forRelay?: number
}

/** A count that has reached this number may be any larger one. */
export const MOST_COUNTED = 10_000

/** The greatest number that `ahead` tells: so many, or more. */
export const MOST_AHEAD = 100

/** A queue that workers leave alone. */
export interface Pause {
  readonly queue: string
  readonly at: Date
  /** When it ends by itself; null: when somebody resumes the queue. */
  readonly until: Date | null
  readonly reason: string | null
}

export interface PauseOptions {
  /** Why; at most 200 printable characters. Default: none. */
  readonly reason?: string | undefined
  /** When the pause ends by itself, by the clock of the database. Default: when the queue is resumed. */
  readonly until?: Date | undefined
}

export interface WorkerState {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** `['*']`: all; after `'*'` those that it leaves alone, each with a `-` before its name. */
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly running: number
  readonly startedAt: Date
  /** For how many ms it was not seen. */
  readonly seenMsAgo: number
  /** It was not seen for a whole lease. */
  readonly isGone: boolean
  readonly eventLoopDelayMs: number
  readonly rssMib: number
}

export interface HistoryQuery {
  readonly from: Date
  readonly to: Date
  /** At most 200. */
  readonly steps: number
  readonly queue?: string | undefined
  readonly taskName?: string | undefined
}

export interface HistoryStep {
  readonly from: Date
  /** Tasks enqueued in this time by what they are now. Estimated where only some of them were looked at. */
  readonly counts: Readonly<Record<TaskStatus, number>>
  readonly isEstimate: boolean
  /** Ms from due to the start of the last attempt, and from there to the end; null: no task to tell it by. */
  readonly wait: Spread | null
  readonly run: Spread | null
}

export interface Spread {
  readonly p50: number
  readonly p95: number
}

/** A flow, as one of its tasks sees it. */
export interface FlowAround {
  /** The tasks that it waits for, or waited for; at most 200. */
  readonly before: readonly TaskResult<unknown>[]
  readonly beforeCount: number
  /** Those that run beside it, and that the same one waits for. */
  readonly beside: readonly TaskResult<unknown>[]
  readonly besideCount: number
  /** Those that wait for it: its next step, and callbacks. */
  readonly after: readonly TaskResult<unknown>[]
}
