import { type TasksError } from '../errors/errors'
import { WorkerStops } from '../errors/run-errors'
import { LeaseLost } from '../errors/run-errors'
import { TaskCancelled } from '../errors/run-errors'
import { TimeLimitExceeded } from '../errors/run-errors'
import type { ErrorRecord } from '../errors/error-record'
import type { Progress } from '../record'
import type { ClaimedRow, Outcome } from '../store'
import type { RunOutcome } from '../execution/run-outcome'

/** What a worker tells its child process. One run at a time: what is said of none is about the one that goes on. */
export type ToChild =
  | {
      readonly typeormTasks: 'load'
      readonly module: string
      /** JSON text. */ readonly options: string
    }
  | {
      readonly typeormTasks: 'run'
      /** The alias. */ readonly backend: string
      /** See `textOf`. */ readonly row: string
    }
  | { readonly typeormTasks: 'abort'; readonly reason: string }
  /** The answer to `completing`: what to commit; null: it must not be. */
  | { readonly typeormTasks: 'complete'; readonly outcome: Outcome | null }

/** What a child process tells its worker. */
export type FromChild =
  | { readonly typeormTasks: 'ready' }
  | { readonly typeormTasks: 'broken'; readonly error: ErrorRecord }
  /** Whether the task has begun decides whether the end of the process is its failure. */
  | { readonly typeormTasks: 'began' }
  | { readonly typeormTasks: 'progress'; readonly progress: Progress }
  /** The transaction of the run is about to commit; it waits for the answer. */
  | { readonly typeormTasks: 'completing'; readonly returnValue: string | null }
  | { readonly typeormTasks: 'ended'; readonly runOutcome: RunOutcome }
  /** An error that nothing caught, of which the process is about to die. */
  | { readonly typeormTasks: 'fault'; readonly error: ErrorRecord }

/** Tasks may send messages of their own over the channel. */
export function isOurs<Message extends ToChild | FromChild>(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'typeormTasks' in message
}

/** A row as JSON text. */
export function textOf(row: ClaimedRow): string {
  return JSON.stringify(row)
}

/** The row again; JSON has no instants. */
export function rowOf(text: string): ClaimedRow {
  const row = JSON.parse(text) as ClaimedRow
  const { enqueuedAt, startedAt, finishedAt, runAfter } = row.values
  return {
    ...row,
    values: {
      ...row.values,
      enqueuedAt: instant(enqueuedAt),
      startedAt: instant(startedAt),
      finishedAt: instant(finishedAt),
      runAfter: instant(runAfter),
    },
  }
}

/** The reason of that name, so that a task can tell by its class why it shall stop. */
export function reasonOf(name: string, timeLimit: number | null): TasksError {
  if (name === 'TimeLimitExceeded') return new TimeLimitExceeded(timeLimit ?? 0)
  if (name === 'TaskCancelled') return new TaskCancelled()
  return name === 'LeaseLost' ? new LeaseLost() : new WorkerStops()
}

function instant(time: Date | string | null): Date | null {
  return time === null ? null : new Date(time)
}
