import type { UserKey } from '../../../lib/order'
import type { QueueFilter } from './dialect'

/** The texts of INSERTs. */
export interface InsertTexts {
  readonly insert: string
  /** As insert, each row with a key of its own. */
  readonly insertKeyed: string
  /** As insert, for a single row whose values are parameters of their own. */
  readonly insertOne: string
  /** As insertOne, unless the unique key is taken. */
  readonly insertUnlessTaken: string
}

/** The texts of a dialect's statements. Parameters are named; batches travel as the dialect's `batch` says. */
export interface Statements extends InsertTexts {
  /** The present instant as text in UTC, as `now`. */
  readonly now: string
  readonly byId: string
  readonly byUniqueKey: string
  /** For each kind of keys. */
  readonly freeKey: Readonly<Record<UserKey['kind'], string>>
  /** The row of a debounce: other arguments, and another instant. */
  readonly postpone: string
  readonly finish: string
  /** Which of the rows already hold their outcome. */
  readonly settled: string
  readonly renew: string
  readonly report: string
  readonly release: string
  readonly argumentsOf: string
  readonly expired: string
  readonly runningOf: string
  /** `{part}` is where `partCondition` goes. */
  readonly furtherOn: string
  /** The condition for queues, for the places that are marked by `{queues}`. */
  readonly inQueues: (filter: QueueFilter) => string
  /** As `isTask` of names. */
  readonly isTask: (names: string) => string
  /** To be completed by `withAges`, as the next one. */
  readonly prunable: string
  readonly countPrunable: string
  readonly deleteByIds: string
  readonly cancelReady: string
  readonly requestCancel: string
}
