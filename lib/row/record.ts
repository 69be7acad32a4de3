import type { AttemptError } from '../errors/history'

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
  /** It is READY, and waits for others of its flow; then `runAfter` is null. Absent: false. */
  readonly isWaiting?: boolean
  /** Oldest first. Of a hundred and more the first and the last ones; `errors` says how many are left out. */
  readonly workerIds: readonly string[]
  /** The history as it is stored, oldest first; the last one is that of the run that failed for good. */
  readonly errors: readonly AttemptError[]
  readonly returnValue: unknown
  readonly progress: Progress | null
}

/** How many results stand in each status; those that are READY and wait for others are counted apart. */
export type Counts = Readonly<Record<TaskStatus, number>> & { readonly WAITING?: number }
