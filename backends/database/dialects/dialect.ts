import type { UserKey } from '../../../lib/order'
import type { ErrorRecord } from '../../../lib/errors/error-record'
import type { ClaimFilter } from '../../../lib/store'
import { patiently, type Session, unlessLocked } from '../connections/session'
import type { NewRows } from '../new-row'
import type { ClaimedRaw, FinishRow, HeldRow, NoteRow, RawRow } from '../row'
import type { FlowRows } from './flow-verbs'
import type { WorkerRecords } from './worker-records'

/**
 * What the store and the backend do with the table, in verbs over raw rows, each in batches. Every change of a claimed row
 * is fenced: it happens only where id, status RUNNING, `claims` and a lease are as the claim left them.
 */
export abstract class Dialect {
  abstract readonly name: string
  /** The most JSON that one insert may carry, in characters. */
  abstract readonly maxStatement: number
  /** How many exchanges of one worker may be under way at a time. */
  readonly exchangesAtOnce: number = 1
  /** How pauses are told and asked; absent: by TypeORM's query builder. */
  readonly pauseWords?: PauseWords | undefined

  /**
   * Stores outcomes and claims rows to run next. By default one after the other; a dialect that has a faster way overrides
   * this. Each statement is repeated while others are in its way, unless they have locked a row of these outcomes.
   */
  async exchange(
    session: Session,
    outcomes: readonly FinishRow[],
    claim: Claim,
  ): Promise<Exchanged> {
    const kept =
      outcomes.length > 0
        ? await unlessLocked(() => this.finish(session, outcomes))
        : new Set<string>()
    if (claim.limit <= 0) return { kept, claimed: [] }
    try {
      return { kept, claimed: await patiently(() => this.claim(session, claim)) }
    } catch (failure) {
      if (outcomes.length === 0) throw failure
      return { kept, claimed: null, failure }
    }
  }

  /** As `finish`, without waiting for rows that others have locked, where a database can pass over them. */
  async finishFree(session: Session, rows: readonly FinishRow[]): Promise<Finished> {
    return { kept: await this.finish(session, rows), locked: NONE }
  }

  /** The present instant by the database's clock; by default that of this process. */
  async now(_session: Session): Promise<Date> {
    return new Date()
  }

  /** Inserts new rows. Returns the instant of the insert by key; undefined for a row that was left out. */
  abstract insert(
    session: Session,
    rows: NewRows,
    options: InsertOptions,
  ): Promise<(key: string) => string | undefined>
  abstract byId(session: Session, key: string): Promise<RawRow | undefined>
  /** The row that holds the key at this moment, also where the session's transaction reads from an older snapshot. */
  abstract byUniqueKey(session: Session, uniqueKey: string): Promise<RawRow | undefined>
  /**
   * Takes the key from a row that may keep it no more: of a finished one, of a throttle only once its time is over; of a
   * debounce from one that is not READY. Another program may have left the key. Resolves to whether it did.
   */
  abstract freeKey(session: Session, row: RawRow, key: UserKey): Promise<boolean>
  /** Gives a READY row other arguments, and has it due later. Resolves to false if it is READY no more, or has another key. */
  abstract postpone(session: Session, row: RawRow, change: Postponement): Promise<boolean>
  /** Takes up to `limit` READY rows, best first. */
  abstract claim(session: Session, claim: Claim): Promise<ClaimedRaw[]>
  /** Stores outcomes. Returns the keys of rows that now hold theirs, including outcomes that an earlier attempt stored. */
  abstract finish(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>>
  /** Extends leases. Returns the keys of rows that are still held, and whether each was asked to stop. */
  abstract renew(
    session: Session,
    rows: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<ReadonlyMap<string, boolean>>
  /** Writes the progress of rows that are still held. */
  abstract report(session: Session, notes: readonly NoteRow[]): Promise<void>

  /** As `renew`, without waiting for rows that others have locked, where a database can pass over them. */
  async renewFree(
    session: Session,
    rows: readonly HeldRow[],
    leaseSeconds: number,
  ): Promise<RenewedRows> {
    return { held: await this.renew(session, rows, leaseSeconds), locked: NONE }
  }

  /** As `report`, without waiting for rows that others have locked. Returns the keys of these. */
  async reportFree(session: Session, notes: readonly NoteRow[]): Promise<ReadonlySet<string>> {
    await this.report(session, notes)
    return NONE
  }

  /**
   * Makes rows READY as if they had not been claimed, due in `delay` ms; null leaves `run_after` as it is. Passes over locked
   * rows as `finishFree` does.
   */
  abstract release(
    session: Session,
    rows: readonly HeldRow[],
    delay?: number | null,
  ): Promise<Released>
  /** Reads the arguments that a claim left out. Returns their texts by key. */
  abstract argumentsOf(
    session: Session,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, string>>
  /** Stores outcomes of rows whose lease has ended. Passes over locked ones. Returns the keys of the rows it changed. */
  abstract takeOver(session: Session, rows: readonly FinishRow[]): Promise<ReadonlySet<string>>
  /** RUNNING rows whose lease has ended. */
  abstract expired(session: Session, backendName: string, limit: number): Promise<RawRow[]>
  /** Rows of which this worker has the last claim, by its id. */
  abstract runningOf(session: Session, owner: ClaimOwner, limit: number): Promise<HeldRow[]>
  /** The key that stands `rows` rows after `after` in the order of the primary key; null if there are fewer rows. */
  abstract furtherOn(session: Session, after: string | null, rows: number): Promise<string | null>
  /** Keys of finished rows of a part of the table that are old enough to be deleted, in the order of the primary key. */
  abstract prunable(session: Session, query: Prunable, part: Part, limit: number): Promise<string[]>
  abstract countPrunable(session: Session, query: Prunable): Promise<number>
  /** Deletes the rows that are finished. Returns their number. */
  abstract deleteFinished(session: Session, keys: readonly string[]): Promise<number>
  /** Makes a READY row FAILED with this error. Returns 1, or 0 if it is not READY. */
  abstract cancelReady(session: Session, key: string, error: ErrorRecord): Promise<number>
  /** The verbs of flows. */
  abstract flowRows(session: Session): FlowRows
  /** The verbs of the table of workers. */
  abstract workerRecords(path: string): WorkerRecords
  /** Asks the worker of a RUNNING row to stop; `notify`: at once, where the database can notify it. Returns 1, or 0 if the row is not RUNNING. */
  abstract requestCancel(session: Session, key: string, notify: boolean): Promise<number>
}

/** How statements about pauses are said. */
export interface PauseWords {
  readonly now: string
  /** A column of instants as text. */
  readonly instantText: (column: string) => string
  /** Tells workers `:told` once it is committed; undefined where the database cannot notify them. */
  readonly notify?: string | undefined
}

/** What an exchange came to. If only one half of it succeeded, the other is null, and `failure` says why. */
export interface Exchanged {
  /** Keys of rows that now hold their outcome. */
  readonly kept: ReadonlySet<string> | null
  readonly claimed: readonly ClaimedRaw[] | null
  readonly failure?: unknown
}

export interface Finished {
  /** Keys of rows that now hold their outcome. */
  readonly kept: ReadonlySet<string>
  /** Keys of rows that others have locked. */
  readonly locked: ReadonlySet<string>
}

export interface RenewedRows {
  /** Keys of rows that are still held, and whether each was asked to stop. */
  readonly held: ReadonlyMap<string, boolean>
  /** Keys of rows that others have locked. */
  readonly locked: ReadonlySet<string>
}

export interface Released {
  /** The number of rows that were released. */
  readonly released: number
  /** Keys of rows that others have locked. */
  readonly locked: ReadonlySet<string>
}

export const NONE: ReadonlySet<string> = new Set()

export type QueueFilter = Pick<ClaimFilter, 'queues' | 'excludeQueues'>

export interface ClaimOwner {
  readonly workerId: string
  readonly backendName: string
}

export interface Claim extends ClaimOwner {
  /** The rows that the worker knows to be its own; absent where another worker may have its id. */
  readonly held?: ClaimFilter['held']
  /** The most rows to claim. */
  readonly limit: number
  readonly filter: QueueFilter
  readonly leaseSeconds: number
}

/** Ages in ms from which rows are meant; null: none are. */
export interface RowAges {
  /** Of SUCCESSFUL rows. */
  readonly minAge: number | null
  /** Of FAILED rows. */
  readonly failedMinAge: number | null
}

/** Finished rows of some queues. Its own ages are for the tasks that are in no group. */
export interface Prunable extends RowAges {
  readonly backendName: string
  /** null: all. */
  readonly queues: readonly string[] | null
  readonly groups: readonly AgeGroup[]
}

/** Tasks that have the same ages. */
export interface AgeGroup extends RowAges {
  readonly names: readonly string[]
}

/** Rows by their keys: after the first bound, up to and with the second; null: no bound. */
export interface Part {
  readonly after: string | null
  readonly upTo: string | null
}

/** What a call of a debounce changes in the row that waits. */
export interface Postponement {
  readonly args_kwargs: string
  /** Milliseconds from now until it is due. */
  readonly wait: number
  /** Milliseconds since it was enqueued after which it is due in any case; null: no such limit. */
  readonly atMost: number | null
}

export interface InsertOptions {
  /** Leaves out a row whose unique key is taken; then there is one row. */
  readonly unlessTaken: boolean
  /** Milliseconds until the row is due, which then has a key; null: as it says. */
  readonly delay: number | null
  /** The library made the ids, so no earlier row can have one of them. */
  readonly idsAreNew: boolean
  /** Wakes up idle workers, where the database can notify them. */
  readonly notify: boolean
  /** Called as soon as new rows are written, where statements follow that only read. Not if one may have been left out. */
  readonly onWritten?: (() => void) | undefined
}
