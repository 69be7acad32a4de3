/** What a task wrote about itself: one line of the event log. */
export interface TaskEvent {
  /** `start`, `end` and `thrown` are written for every run; `effect`, `abort` and `enqueued` by some tasks. */
  readonly event: string
  readonly id: string
  readonly attempt: number
  /** The row's `claims`, read by the task on a connection of its own. */
  readonly claim: number
  readonly pid: number
  /** Milliseconds by that process's clock. */
  readonly at: number
  readonly note?: string
}

/** What the fence, the states and the lease of a row were at one moment; times in milliseconds of the database's clock. */
export interface RowState {
  readonly status: string
  readonly claims: number
  readonly leaseUntil: number | null
  /** Counted attempts: the length of `worker_ids`. */
  readonly attempts: number
  /** The classes of the errors of earlier attempts, oldest first. */
  readonly errors: readonly string[]
  /** The class of the error it failed with; '' for none. */
  readonly error: string
}

/** One write to one row, as a trigger of the database saw it: `before` is null for an INSERT, `after` for a DELETE. */
export interface Change {
  readonly seq: number
  readonly id: string
  /** Milliseconds by the database's clock. */
  readonly at: number
  readonly before: RowState | null
  readonly after: RowState | null
}

/** A row in the end. */
export interface FinalRow extends RowState {
  readonly id: string
  readonly taskName: string
  readonly enqueuedAt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly returnValue: unknown
  readonly traceback: string
}

/** All that is known of one scenario. */
export interface History {
  /** Ids whose enqueue was told to have succeeded. */
  readonly enqueued: readonly string[]
  /** Ids whose transaction was rolled back. */
  readonly undone: readonly string[]
  readonly events: readonly TaskEvent[]
  readonly changes: readonly Change[]
  /** Runs, as the table with the unique key (task_id, claim_no) took them. */
  readonly ledger: readonly { readonly id: string; readonly claim: number }[]
  /** The database's clock when all was quiet. */
  readonly quietAt: number
}

/** What a scenario does on purpose, so that it is no finding. */
export interface Allowed {
  /** Claims that ended before their task could start: crash points, unknown tasks, malformed rows. */
  readonly unstarted?: boolean
  /** FAILED rows that somebody put back with `results retry`. */
  readonly retried?: boolean
  /** Rows that somebody changed or deleted by hand. */
  readonly tampered?: readonly string[]
  /** Rows that may be there though their enqueue was told to have failed. */
  readonly unsure?: boolean
  /** Rows that are still running in the end. */
  readonly running?: boolean
}
