import type { ErrorRecord } from '../../../lib/errors/error-record'

/** Keys of members of one set: from one on, up to another one, both included. */
export interface KeyRange {
  readonly set: string
  readonly from: string
  readonly upTo: string
}

/** A member, as the rows that wait for its set see it. */
export interface MemberRow {
  readonly row_key: string
  readonly unique_key: string | null
  readonly status: string
  readonly task_path: string | null
  readonly return_value: string | null
  readonly exception_class_path: string | null
  readonly traceback: string | null
}

/** What most rows that wait for a member want of it. */
export interface MemberValue {
  /** The digits of its place in the set. */
  readonly place: string
  /** JSON; empty in the place of a large one, and of one that is not SUCCESSFUL. */
  readonly value: string
}

/** A row that waits for a set. */
export interface ParkedRow {
  readonly row_key: string
  /** JSON. */
  readonly options: string | null
  readonly priority: number
  readonly enqueued_at: string
}

/** Where a look at rows that wait goes on; null: it begins. */
export type AfterRow = Pick<ParkedRow, 'row_key' | 'priority' | 'enqueued_at'> | null

/** What members are asked for: those that have not finished, that have FAILED, or either. */
export type Asked = 'open' | 'failed' | 'unsuccessful'

/** A member that was found. */
export interface Found {
  readonly key: string
  readonly status: string
}

/** The verbs of flows, over rows that wait (READY, and due only in the year 9998) and those that they wait for. */
export interface FlowRows {
  /** The first member of each range that is as asked, by set. */
  first(ranges: readonly KeyRange[], asked: Asked): Promise<Map<string, Found>>
  /** Members of a range, in the order of their keys, of all of them at most `limit`. */
  members(range: KeyRange, limit: number): Promise<readonly MemberRow[]>
  /** The values of the first members of each of the sets, in order. */
  firstValues(
    sets: readonly KeyRange[],
    limit: number,
  ): Promise<ReadonlyMap<string, readonly MemberValue[]>>
  /** Any row, by its key. */
  row(key: string): Promise<MemberRow | undefined>
  /** Has waiting rows due now, and those that were FAILED because of others. Returns how many. */
  unpark(keys: readonly string[]): Promise<number>
  /** Makes a row FAILED, if it waits. */
  fail(key: string, error: ErrorRecord): Promise<void>
  /** Deletes waiting rows. */
  drop(keys: readonly string[]): Promise<void>
  /** The options of rows, as JSON, by key. */
  options(keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** The options of those of the rows that are members of a set, as JSON, by key. */
  memberOptions(keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Those of the rows that have not finished. */
  unfinished(keys: readonly string[]): Promise<ReadonlySet<string>>
  /** Waiting rows of a backend, always in the same order, from behind the row that was the last one before. */
  waiting(backendName: string, after: AfterRow, limit: number): Promise<readonly ParkedRow[]>
}
