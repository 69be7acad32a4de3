import type { EntityManager } from 'typeorm'
import type { Pause } from './browser'
import type { ErrorRecord } from './errors/error-record'
import type { AttemptError } from './errors/history'
import type { SetLinks } from './row/flow-parts'
import type { ResultValues } from './row/record'

/**
 * What a worker needs of a backend: six verbs over plain values, each taking a batch.
 * Every write but the claim is fenced: it changes a row only while that claim still holds it.
 */
export interface Store {
  /** Seconds that a claim or a renewal holds a row. */
  readonly leaseSeconds: number
  /** How many lost workers a row may cost before it is given up. */
  readonly maxCrashes: number
  /**
   * How many exchanges may be under way at a time, one of which claims; 1 unless told. It may be less for a while, after trouble:
   * what is under way then must end before the next one begins.
   */
  readonly exchangesAtOnce?: number
  /** Absent: workers have no records, and each looks for rows of lost workers at its interval. */
  readonly heartbeat?: Heartbeat | undefined
  /** The queues of the backend that workers leave alone at present; asked about once a second. Absent: queues cannot be paused. */
  readonly pausedQueues?: (() => Promise<readonly Pause[]>) | undefined
  /** What the backend has its workers do besides. Absent: nothing. */
  readonly chores?: readonly Chore[] | undefined
  /** Hands in what came of earlier rows and takes up to `limit` rows to run next, best first. */
  exchange(outcomes: readonly Outcome[], limit: number, filter: ClaimFilter): Promise<Exchange>
  /** Holds rows for another lease. Must not wait for rows that somebody else has locked for longer than a part of the lease. */
  renew(rows: readonly Held[]): Promise<Renewed>
  /** Writes the progress that rows report. Rejects if nothing could be written: the notes are reported again. */
  report(notes: readonly ProgressNote[]): Promise<Reported>
  /**
   * Gives rows back unfinished, as if they had not been claimed: the attempt is taken off. With `delay` they are not due
   * before that number of milliseconds has passed.
   */
  release(rows: readonly Held[], delay?: number): Promise<number>
  /** Takes over rows whose lease ran out: the store finds them, `judge` decides what each becomes. */
  rescue(judge: Judge): Promise<Rescued>
  /**
   * Settles sets of flows, of which a member has finished: rows that wait for those that have finished as a whole are due, FAILED
   * or deleted. May be repeated. Resolves to the number of rows that are due now. Absent: the store has no flows.
   */
  settle?(sets: readonly SetLinks[]): Promise<number>
  /** The same for rows that wait, some of them at each call: a worker may have been lost before it could settle what it did. */
  settleWaiting?(): Promise<Settled>
  /** Deletes finished rows. */
  prune(query: PruneQuery): Promise<number>
  close(): Promise<void>
}

/** Work of a worker beside its loop, which knows no chore by name. `assemble` makes the list. */
export interface Chore {
  /** Goes on until `signal` aborts, which is when the worker holds no rows any more; never rejects, whatever the database does. */
  run(signal: AbortSignal): Promise<void>
  /** What the store hears before it is asked. Absent: it is nothing to this chore. */
  hear?(wakeup: Wakeup): void
  /** What is under way that may make rows due: a batch does not end before. It never rejects. Absent: nothing. */
  readonly busy?: Promise<void> | undefined
}

/** How many of the rows that a look saw waiting are due now, and how many it saw. */
export interface Settled {
  readonly due: number
  readonly waiting: number
}

/** The records that workers have in the same place: who is at work, and who has not been seen for a whole lease. */
export interface Heartbeat {
  /**
   * Writes or renews the record of this worker. Resolves to whether another worker of the backend was last seen longer ago
   * than its lease: then rows may have lost it. Its record stays for two leases more, so until none of its leases can last.
   */
  beat(record: WorkerRecord): Promise<boolean>
  /** Deletes the record of a worker that holds no rows any more. */
  leave(id: string): Promise<void>
}

/** What a worker says of itself. */
export interface WorkerRecord {
  /** No other worker has it, not even one with the same `workerId`. */
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** `['*']`: all; after `'*'` those that it leaves alone, each with a `-` before its name. */
  readonly queues: readonly string[]
  readonly concurrency: number
  /** How many tasks run. */
  readonly running: number
  /** Milliseconds since it started. */
  readonly upMs: number
  /** The 99th percentile, in milliseconds, of how late its event loop was since the heartbeat before. */
  readonly eventLoopDelayMs: number
  /** The memory of its process, in MiB. */
  readonly rssMib: number
}

/** Decides what a row becomes whose worker was lost. */
export type Judge = (row: ClaimedRow) => Outcome

export interface StoreOptions {
  /** Seconds a claim holds a row without renewal; the backend's own setting by default. */
  readonly leaseSeconds?: number | undefined
  /** Called with what a store happens to hear before it is asked. Wake-ups only save waiting: they may be missed, or come for nothing. */
  readonly wakeup?: ((wakeup: Wakeup) => void) | undefined
  /**
   * All statements of the store are a part of the transaction of this manager, one at a time: what they change is gone with its
   * rollback. For tests. Default: the store has connections of its own.
   */
  readonly manager?: EntityManager | undefined
}

/**
 * Somebody has asked for the end of a running row: a renewal will tell so. Or a row was put into a queue; or a queue was paused
 * or resumed.
 */
export type Wakeup =
  | { readonly what: 'cancel'; readonly key: string }
  | { readonly what: 'ready'; readonly queue: string }
  | { readonly what: 'pause'; readonly queue: string }

/** Which rows a worker wants. */
export interface ClaimFilter {
  readonly workerId: string
  /** Queues to serve; null: all. */
  readonly queues: readonly string[] | null
  readonly excludeQueues: readonly string[]
  /**
   * The rows that the worker knows to be its own. Other rows with its id are of a claim whose answer was lost. Absent for an id
   * that another worker may have, too.
   */
  readonly held?: (() => readonly Held[]) | undefined
}

/** A claimed row's handle: `key` is the id as the database spells it, `claims` the fence. */
export interface Held {
  readonly key: string
  readonly claims: number
}

export interface ClaimedRow extends Held {
  readonly values: ResultValues
  /** Somebody asked for its end while another worker held it. */
  readonly cancelled: boolean
  /** What makes the row impossible to run, if somebody else wrote it badly. */
  readonly malformed: string | null
  /** The size of its arguments as text, where the store knows it: a worker holds no more than memory bears. */
  readonly bytes?: number | undefined
  /** What this enqueue overrode, as written. */
  readonly options: Readonly<Record<string, unknown>>
}

/** What came of one run, and the last progress it reported (JSON text), if that is not written yet. READY: to be tried again, `delay` milliseconds from now; null: as it was due before; `errors` is then the whole history to store, the latest error last. */
export type Outcome = Held & { readonly progress?: string } & (
    | {
        readonly status: 'SUCCESSFUL'
        /** JSON text; null for none. */ readonly returnValue: string | null
      }
    | { readonly status: 'FAILED'; readonly error: ErrorRecord }
    | {
        readonly status: 'READY'
        readonly errors: readonly AttemptError[]
        readonly delay: number | null
      }
  )

export interface Exchange {
  /** For each outcome, in order. */
  readonly answers: readonly OutcomeAnswer[]
  readonly claimed: readonly ClaimedRow[]
  /** Why nothing could be claimed, although the outcomes were answered. */
  readonly failure?: unknown
  /** Rows may be RUNNING for this worker that are not among `claimed`: the answer of a claim was lost, or what it brought too much was given back. */
  readonly isUnsure?: boolean | undefined
}

/** What became of an outcome. */
export type OutcomeAnswer =
  /** Its fence held: it is what the row now says. */
  | 'kept'
  /** Its fence did not hold: nothing was changed. */
  | 'refused'
  /** It could not be stored now, for instance because somebody else has locked the row. It must be handed in again. */
  | 'later'
  /** The store could not take it, and has stored this one instead, FAILED. */
  | Outcome

/** What a run reports of its progress. */
export interface ProgressNote extends Held {
  /** JSON text of `{ done, total, note }`. */
  readonly progress: string
}

export interface Reported {
  /** Rows that somebody else has locked: to be reported again. */
  readonly later: readonly Held[]
  /** Rows whose note cannot be stored, and why. */
  readonly refused: readonly RefusedNote[]
}

export interface RefusedNote extends Held {
  readonly reason: string
}

export interface Renewed {
  /** Rows this worker no longer holds. */
  readonly lost: readonly Lost[]
  /** Rows that were asked to stop. */
  readonly cancelled: readonly Held[]
  /** Rows of which nothing is known, for instance because somebody else has locked them: neither held for another lease nor lost. */
  readonly unknown: readonly Held[]
}

export interface Lost extends Held {
  /** The number of the claim that the row is at now, if that is known; 0 where there is no row any more. */
  readonly claimsNow?: number | undefined
}

export interface Rescued {
  /** Ids of rows that are READY again. */
  readonly released: readonly string[]
  /** Ids of rows that were given up after too many crashes. */
  readonly failed: readonly string[]
  /** How many more were found and could not be taken over: others have locked them, or were faster. */
  readonly left?: number | undefined
}

/** Ages of rows. */
export interface PruneAges {
  /** Milliseconds since `finished_at` after which a SUCCESSFUL row is deleted. Absent: never. */
  readonly minAge?: number | undefined
  /** The same for FAILED rows. */
  readonly failedMinAge?: number | undefined
}

/** Ages of the rows of one task. */
export interface TaskAges extends PruneAges {
  /** The name of the task, compared exactly. */
  readonly name: string
}

/** Which rows to delete. Its own ages are for all tasks that are not among `tasks`. */
export interface PruneQuery extends PruneAges {
  /** Queues to prune; null: all. */
  readonly queues: readonly string[] | null
  /** Tasks with ages of their own. */
  readonly tasks?: readonly TaskAges[] | undefined
  /** Only counts. */
  readonly dryRun: boolean
  /** Called after each chunk with the number deleted so far. */
  readonly onProgress?: ((deleted: number) => void) | undefined
  /** Asked before each statement, which waits for the answer; false ends the prune. Not asked where `dryRun`. */
  readonly mayGoOn?: (() => Promise<boolean>) | undefined
}
