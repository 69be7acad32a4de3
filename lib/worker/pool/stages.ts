import type { ClaimedRow, Lost } from '../../store'

/**
 * Where a claimed row stands in its worker.
 * `waiting`: for its turn to run. `running`. `committing`: its own transaction stores the outcome, so a renewal cannot
 * tell whether the row is lost. `ended`: it has an outcome to hand in. `sent`: the outcome is on its way to the
 * database. `deferred`: the database could not store it now; it is handed in again soon. `doubted`: the database refused the outcome; a renewal must tell why. `gone`: this worker is done with it.
 */
export type Stage =
  'waiting' | 'running' | 'committing' | 'ended' | 'sent' | 'deferred' | 'doubted' | 'gone'

/** The stages of tasks that the pool still holds. */
export type LiveStage = Exclude<Stage, 'gone'>

/** The moves that are allowed, from each stage. */
export const MOVES: Record<Stage, readonly Stage[]> = {
  waiting: ['running', 'ended', 'gone'],
  running: ['committing', 'ended', 'gone'],
  committing: ['ended', 'gone'],
  ended: ['sent', 'gone'],
  // Back to `ended`: the exchange failed; or the outcome was refused, and the task was cancelled meanwhile.
  sent: ['ended', 'deferred', 'doubted', 'gone'],
  deferred: ['ended', 'gone'],
  // Back to `ended`: it was refused because the task was cancelled.
  doubted: ['ended', 'gone'],
  gone: [],
}

/** What a renewal that was sent at `askedAt` says of one row. */
export interface LeaseAnswer {
  readonly askedAt: number
  /** The task was `doubted` when the renewal was sent. */
  readonly wasDoubted: boolean
  readonly isCancelled: boolean
  readonly lost: Lost | undefined
}

/** What a chore may hear of the pool. */
export interface PoolListeners {
  /** The database may know more than this worker of rows with these keys: a renewal should ask at once. */
  unsure(keys: readonly string[]): void
  /** The last outcome of a row is stored. */
  finished(row: ClaimedRow): void
}
