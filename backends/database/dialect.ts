import type { Wishes } from '../../lib/store'
import { mysql } from './dialects/mysql'
import { postgres } from './dialects/postgres'
import { sqlite } from './dialects/sqlite'
import type { RawRow } from './row'
import type { Session } from './session'
import type { Placeholder } from './statement'
import type { Table } from './table'

/** How one family of databases says what the store wants. Batches travel as one JSON parameter, `:rows`. */
export interface Dialect {
  readonly name: string
  readonly placeholder: Placeholder
  readonly sql: Statements
  /** An UPDATE can say which rows it changed. */
  readonly updateReturns: boolean
  /** An INSERT can give back what it wrote. */
  readonly insertReturns: boolean
  /** How much JSON one statement may carry, in characters. */
  readonly maxStatement: number
  /** Takes up to `room` READY rows, best first. */
  claim(session: Session, claim: Claim): Promise<RawRow[]>
}

export interface Claim {
  readonly room: number
  readonly wishes: Wishes
  readonly backendName: string
  readonly leaseSeconds: number
}

/** Each list of `:rows` is JSON: of NewRow, FinishRow, RenewRow or HeldRow. */
export interface Statements {
  /** Writes new rows. */
  readonly insert: string
  /** The same, leaving out those whose unique key is taken. */
  readonly insertUnlessTaken: string
  readonly byId: string
  readonly byIds: string
  readonly byUniqueKey: string
  readonly finish: string
  /** Of the rows, those that already stand as their outcome says. */
  readonly settled: string
  readonly renew: string
  /** Of the rows, those still held. */
  readonly held: string
  readonly release: string
  readonly expired: string
  /** Keys of finished rows old enough to go, in the order of the primary key after `:last`. */
  readonly prunable: string
  readonly countPrunable: string
  readonly deleteByIds: string
  readonly count: string
  readonly requestCancel: string
}

export interface HeldRow {
  readonly row_key: string
  readonly claims: number
}

export interface FinishRow extends HeldRow {
  readonly status: string
  readonly return_value: string | null
  readonly exception_class_path: string
  readonly traceback: string
  /** A list of one error to append to those of earlier attempts; null: none. */
  readonly attempt_error: string | null
  /** Milliseconds until the next attempt; null leaves run_after as it is. */
  readonly delay: number | null
}

export interface RenewRow extends HeldRow {
  readonly progress: string | null
}

export interface NewRow {
  readonly row_key: string
  readonly args_kwargs: string
  readonly priority: number
  readonly task_path: string
  readonly queue_name: string
  readonly backend_name: string
  readonly run_after: string
  readonly unique_key: string | null
  readonly options: string | null
}

/** The dialect for a table. */
export function dialectFor(table: Table): Dialect {
  if (table.family === 'postgres') return postgres(table)
  if (table.family === 'mysql') return mysql(table)
  return sqlite(table)
}

/** `AND …` for the queues a worker wants; the same text for the same wishes, so that it can be prepared. */
export function queueFilter({ queues, excludeQueues }: Pick<Wishes, 'queues' | 'excludeQueues'>): string {
  const only = queues === null ? '' : ' AND queue_name IN (:queues)'
  return only + (excludeQueues.length === 0 ? '' : ' AND queue_name NOT IN (:excludeQueues)')
}

/** The values `queueFilter` asks for. */
export function queueValues({ queues, excludeQueues }: Pick<Wishes, 'queues' | 'excludeQueues'>): { queues: readonly string[]; excludeQueues: readonly string[] } {
  return { queues: queues ?? [], excludeQueues }
}
