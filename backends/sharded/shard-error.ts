import { OneClass } from '../../lib/copies/one-per-process'
import { briefly } from '../../lib/errors/error-record'
import { TasksError } from '../../lib/errors/errors'
import type { TaskResult } from '../../lib/result'

export interface ShardErrorParts {
  /** What each shard that failed threw, by its alias. */
  readonly failures: ReadonlyMap<string, unknown>
  readonly enqueued?: readonly (TaskResult<unknown> | null)[]
}

/** Some shards could not do what was asked of several. What the others did stays. */
@OneClass('ShardError')
export class ShardError extends TasksError {
  readonly code = 'SHARD'
  /** What each shard that failed threw, by its alias. */
  readonly failures: ReadonlyMap<string, unknown>
  /**
   * Of `enqueueMany`: for each call, in order, its result, or null where its shard failed. Such a call was not enqueued, unless
   * the connection broke when all but the answer had come.
   */
  readonly enqueued: readonly (TaskResult<unknown> | null)[]

  constructor(message: string, hint: string, { failures, enqueued = [] }: ShardErrorParts) {
    super(message, hint, { cause: [...failures.values()][0] })
    this.failures = failures
    this.enqueued = enqueued
  }
}

/** `db2 (Error: connect ECONNREFUSED), db3 (…)` */
export function told(failures: ReadonlyMap<string, unknown>): string {
  return [...failures].map(([alias, error]) => `${alias} (${briefly(error)})`).join(', ')
}
