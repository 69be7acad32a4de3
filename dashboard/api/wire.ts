/** What the server and the page say to each other. Instants are ISO 8601 in UTC; the page imports types alone. */

export type Status = 'READY' | 'RUNNING' | 'FAILED' | 'SUCCESSFUL'
/** What a filter may ask for: READY is due, LATER or WAITING for others. */
export type State = Status | 'DUE' | 'LATER' | 'WAITING'
export type Permission = 'view' | 'values' | 'retry' | 'cancel' | 'run' | 'delete' | 'queues'

/** `GET overview`: what every page needs. */
export interface Overview {
  readonly title: string
  /** Such as "production"; null: none was given. */
  readonly environment: string | null
  /** By the clock of the server that answers. */
  readonly now: string
  readonly permissions: readonly Permission[]
  readonly backends: readonly BackendView[]
}

export interface BackendView {
  readonly alias: string
  /** Null: it cannot be browsed, or is away; `problem` says why and what to do. */
  readonly queues: readonly QueueView[] | null
  readonly problem: Problem | null
  /** Why its queues cannot be paused; null: they can, as far as is known. */
  readonly noPauses: Problem | null
}

export interface Problem {
  readonly message: string
  readonly hint?: string
  /** That of the error, such as `USAGE`; absent: the server's own words. */
  readonly code?: string
}

/** The body of every answer with a status from 400 on. */
export interface Failed {
  readonly error: Problem
}

export interface QueueView {
  readonly name: string
  readonly due: number
  readonly later: number
  readonly waiting: number
  readonly running: number
  readonly oldestDueMs: number | null
  readonly paused: PauseView | null
  readonly isServed: boolean | null
}

export interface PauseView {
  readonly at: string
  readonly until: string | null
  readonly reason: string | null
}

export interface Progress {
  readonly done: number
  readonly total: number | null
  readonly note: string | null
}

/** A task in a list. */
export interface Listed {
  readonly id: string
  readonly task: string
  readonly status: Status
  readonly isWaiting: boolean
  readonly attempts: number
  readonly progress: Progress | null
  readonly priority: number
  readonly queueName: string
  readonly backend: string
  readonly enqueuedAt: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly runAfter: string | null
  /** The class of its latest error. */
  readonly error: string | null
  /** The first line of that error, such as `TypeError: broken`, for those who may see values; at most 120 characters. */
  readonly headline: string | null
  /** The beginning of its arguments, redacted, for those who may see values; at most 120 characters. */
  readonly excerpt: string | null
}

/** `GET tasks?backend&state&queue&task&worker&error&text&from&to&args.<path>=<value>&before&limit&within`. */
export interface TaskPageView {
  readonly tasks: readonly Listed[]
  readonly next: string | null
  /** The instant up to which was looked, where the page is not full for that. */
  readonly searchedTo: string | null
}

/** `GET tasks/:id`. What may not be seen is '[hidden]', and secrets are '[redacted]'. */
export interface Whole extends Omit<Listed, 'error' | 'headline' | 'excerpt'> {
  readonly args: unknown
  readonly kwargs: unknown
  readonly returnValue: unknown
  readonly workerIds: readonly string[]
  readonly errors: readonly ErrorView[]
  readonly errorCount: number
  /** Null: it is in none. */
  readonly flow: FlowView | null
  /** The latest tasks of the same name, this one included. */
  readonly latest: readonly Listed[]
}

export interface ErrorView {
  readonly exceptionClassPath: string
  readonly traceback: string
}

export interface FlowView {
  readonly before: readonly Listed[]
  readonly beforeCount: number
  readonly beside: readonly Listed[]
  readonly besideCount: number
  readonly after: readonly Listed[]
}

/** `GET history?backend&hours&steps&queue&task`: `hours` is 1 and `steps` 60 unless told. */
export interface HistoryView {
  readonly steps: readonly HistoryStepView[]
}

export interface HistoryStepView {
  readonly from: string
  readonly counts: Readonly<Record<Status, number>>
  readonly isEstimate: boolean
  readonly wait: Spread | null
  readonly run: Spread | null
}

export interface Spread {
  readonly p50: number
  readonly p95: number
}

/** `GET workers?backend`; null: the backend keeps no records of workers, and `problem` says which line to add. */
export interface WorkersView {
  readonly workers: readonly WorkerView[] | null
  readonly problem: Problem | null
}

export interface WorkerView {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly queues: readonly string[]
  readonly concurrency: number
  readonly running: number
  /** What it runs, at most 100. */
  readonly tasks: readonly Listed[]
  readonly startedAt: string
  readonly seenMsAgo: number
  readonly isGone: boolean
  readonly eventLoopDelayMs: number
  readonly rssMib: number
}

/** `GET schedules`: those of the process that serves the page. */
export interface SchedulesView {
  readonly schedules: readonly ScheduleView[]
}

export interface ScheduleView {
  readonly name: string
  readonly task: string
  readonly backend: string
  /** The cron expression, or the interval. */
  readonly when: string
  /** The same in English. */
  readonly words: string
  readonly timeZone: string
  readonly enabled: boolean
  /** The next five slots. */
  readonly next: readonly string[]
  /** The newest slot that was enqueued. */
  readonly last: { readonly at: string; readonly status: Status } | null
}

/**
 * `POST tasks/<change>`: of some tasks, or of all that a filter finds, of which at most `atMost` are changed. `priority` is for
 * `prioritise` alone.
 */
export type ChangeBody = (
  | { readonly ids: readonly string[] }
  | { readonly filter: Readonly<Record<string, string>>; readonly atMost: number }
) & { readonly priority?: number }

/** `copy` enqueues the task again with the same arguments, and needs the permission `run`. */
export type ChangeName = 'retry' | 'cancel' | 'delete' | 'prioritise' | 'copy'

/** The answer to ids. To a filter the same is a line of JSON each time some more were changed, the last one with `isDone`. */
export interface Changed {
  readonly changed: readonly string[]
  readonly refused: readonly { readonly id: string; readonly message: string }[]
  /** Of a filter: how many were changed and refused so far. `refused` has at most 100 a line. */
  readonly count?: number
  readonly refusedCount?: number
  readonly isDone?: boolean
  /** Of the last line, if something kept the rest from being changed. */
  readonly error?: Problem
}

/** `POST queues/:name/pause?backend` with `{ reason?, forMs? }`, `POST queues/:name/resume?backend`, `POST schedules/:name/run`: `{ id }`. */
export interface Fired {
  readonly id: string
}

/**
 * `GET events?show=<paths>`: server-sent events. `show` holds the paths of API that the page shows, each as in a GET, joined by
 * a blank; the event `value` has `{ path, value }` when what the path gives has changed, `problem` `{ path, message, hint }`.
 * A comment comes each 15 s. After ten minutes the server ends the stream, so that permissions are looked at anew: open it again.
 */
export interface Told {
  readonly path: string
  readonly value: unknown
}

export interface ToldProblem extends Problem {
  readonly path: string
}
