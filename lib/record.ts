import type { ErrorRecord } from './errors/error-record'

/** Django's four. */
export type TaskStatus = 'READY' | 'RUNNING' | 'FAILED' | 'SUCCESSFUL'

export interface Progress {
  readonly done: number
  readonly total: number | null
  readonly note: string | null
}

/** A result's facts as one plain value; what backends read and write. */
export interface ResultValues {
  readonly id: string
  readonly taskName: string
  readonly status: TaskStatus
  readonly enqueuedAt: Date | null
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly priority: number
  readonly queueName: string
  readonly backend: string
  readonly runAfter: Date | null
  readonly workerIds: readonly string[]
  /** Oldest first; the last one is that of the run that failed for good. */
  readonly errors: readonly ErrorRecord[]
  readonly returnValue: unknown
  readonly progress: Progress | null
}

/** How many results stand in each status. */
export type Counts = Readonly<Record<TaskStatus, number>>
