import type { ErrorRecord } from '../../../lib/errors/error-record'
import type { Wishes } from '../../../lib/store'
import type { ClaimedRaw, FinishRow, HeldRow, NewRows, RawRow, RenewRow } from '../row'
import type { Session } from '../connections/session'

/**
 * What the store and the backend want of the table, in verbs over plain rows, each in batches. Every change of a
 * claimed row is fenced: it happens only where id, status RUNNING, `claims` and a lease are as the claim left them.
 */
export interface Dialect {
  readonly name: string
  /** How much JSON one insert may carry, in characters. */
  readonly maxStatement: number
  /** Writes new rows; tells of a key when its row was enqueued, or that it was left out. */
  insert(session: Session, rows: NewRows, how: How): Promise<(key: string) => string | undefined>
  byId(session: Session, key: string): Promise<RawRow | undefined>
  byUniqueKey(session: Session, uniqueKey: string): Promise<RawRow | undefined>
  /** Takes up to `room` READY rows, best first. */
  claim(session: Session, claim: Claim): Promise<ClaimedRaw[]>
  /** From so many rows on, of each, finishing and claiming on two connections at a time is faster than one after the other. */
  readonly sideBySideFrom?: number
  /** `finish` and `claim` with one commit, where the database can. */
  exchange?(
    session: Session,
    rows: readonly FinishRow[],
    claim: Claim,
  ): Promise<{ readonly kept: ReadonlySet<string>; readonly claimed: ClaimedRaw[] }>
  /** Writes what came of rows; gives the keys of those that now stand as told, be it from an earlier try. */
  finish(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>>
  /** Holds rows for another lease; gives the keys of those still held, and whether each was asked to stop. */
  renew(
    session: Session,
    rows: readonly RenewRow[],
    leaseSeconds: number,
  ): Promise<ReadonlyMap<string, boolean>>
  /** Makes rows READY as if they had not been claimed; gives their number. */
  release(session: Session, rows: readonly HeldRow[]): Promise<number>
  /** The same for rows whose lease has ended; gives the keys of those it changed. */
  takeOver(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>>
  /** RUNNING rows whose lease has ended. */
  expired(session: Session, backendName: string, limit: number): Promise<RawRow[]>
  /** The key so many rows on from `after` in the order of the primary key; null: there are not that many. */
  furtherOn(session: Session, after: string | null, rows: number): Promise<string | null>
  /** Keys of finished rows old enough to go, in the order of the primary key, of a part of the table. */
  prunable(session: Session, wish: Prunable, part: Part, limit: number): Promise<string[]>
  countPrunable(session: Session, wish: Prunable): Promise<number>
  /** Deletes those that are finished; gives their number. */
  deleteFinished(session: Session, keys: readonly string[]): Promise<number>
  /** The number of rows in each status that occurs. */
  count(
    session: Session,
    backendName: string,
    wish: QueueWish,
  ): Promise<Readonly<Record<string, number>>>
  /** Makes a READY row FAILED, for this reason; gives 1, or 0 where it is not READY. */
  cancelReady(session: Session, key: string, error: ErrorRecord): Promise<number>
  /** Asks the worker of a RUNNING row to stop; gives 1, or 0 where there is none. */
  requestCancel(session: Session, key: string): Promise<number>
}

export type QueueWish = Pick<Wishes, 'queues' | 'excludeQueues'>

export interface Claim {
  readonly room: number
  readonly wishes: Wishes
  readonly backendName: string
  readonly leaseSeconds: number
}

/** Finished rows of some queues; ages in milliseconds. */
export interface Prunable {
  readonly backendName: string
  readonly queues: readonly string[] | null
  readonly minAge: number
  readonly failedMinAge: number
}

/** Rows by their keys, without the first and with the last; null: no bound. */
export interface Part {
  readonly after: string | null
  readonly upTo: string | null
}

export interface How {
  /** Leaves out rows whose unique key is taken. */
  readonly unlessTaken: boolean
  /** Idle workers are told, where the database can pass that on. */
  readonly tells: boolean
}
