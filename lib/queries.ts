import type { TaskStatus } from './row/record'

/** Which results to list, the newest first. */
export interface ListQuery {
  /** The greatest number of results to give. */
  readonly limit: number
  /** `WAITING`: those that are READY, and wait for others of their flow. READY has these, too. */
  readonly status?: TaskStatus | 'WAITING' | undefined
  /** Absent or null: all. */
  readonly queues?: readonly string[] | null | undefined
  readonly taskName?: string | undefined
  /** Only results older than the one of this id. To get the next page, give the id of the last result of a page. */
  readonly before?: string | undefined
  /** Also results of other backends that are kept in the same place, such as one table. Default false. */
  readonly everyBackend?: boolean | undefined
  /**
   * The greatest number of results to look at, the newest first, of whatever status, queue, task or backend; those that the
   * other keys ask for are listed, and older ones are not found. A list of few among many is then as quick as any. Absent
   * or 0: all.
   */
  readonly within?: number | undefined
}

/** Which results to count. */
export interface CountQuery {
  /** Absent or null: all. */
  readonly queues?: readonly string[] | null | undefined
  readonly excludeQueues?: readonly string[] | undefined
  readonly taskName?: string | undefined
  /** Only results older than the one of this id. */
  readonly before?: string | undefined
  /** Also results of other backends that are kept in the same place, such as one table. Default false. */
  readonly everyBackend?: boolean | undefined
  /** The greatest number of results to look at, as in a `ListQuery`. Absent or 0: all. */
  readonly within?: number | undefined
}
