import { clock, NoAnswer } from '../../../lib/clock'
import { log } from '../../../lib/events/logger'
import { isLocked, isTooSlow } from '../connections/database-errors'
import { patiently, type Session, unlessLocked } from '../connections/session'
import { type Dialect, NONE, type RenewedRows } from '../dialects/dialect'
import type { HeldRow, NoteRow } from '../row'
import { reasonOf } from './refused-row'
import { halving } from './portions'

/** A shorter lease, in seconds, leaves no time to wait for locked rows: those are passed over at once. */
const SHORTEST_WAITING_LEASE = 6
/** The most rows of one statement; a note has at most 1,000 characters. */
const MOST_ROWS = 1_000
const MOST_NOTES = 500
/** After a portion that was in time the next ones may be larger by this factor, if they had been made smaller. */
const GROWTH = 1.1

export interface ReportedNotes {
  /** Keys of rows that others have locked. */
  readonly locked: ReadonlySet<string>
  /** What the database refused, by key, and why. */
  readonly refused: ReadonlyMap<string, string>
}

/**
 * What a worker does to rows while they run. Mostly that is one statement for all. Only where it fails, locked rows are passed
 * over, and what the database refuses is halved until the culprit is alone.
 */
export class HeldRows {
  readonly #session: Session
  readonly #dialect: Dialect
  readonly #leaseSeconds: number
  /** The most rows of one renewal: less than `MOST_ROWS` after one that took the server too long. */
  #most = MOST_ROWS
  /**
   * Until then nothing waits for locks, in ms of the monotonic clock. Others had a row locked, and of our own statements that
   * wait for it, each would keep the rest of its rows from the next one.
   */
  #lockedUntil = Number.NEGATIVE_INFINITY

  constructor(session: Session, dialect: Dialect, leaseSeconds: number) {
    this.#session = session
    this.#dialect = dialect
    this.#leaseSeconds = leaseSeconds
  }

  /** Renews leases. Rows of which nothing is known count as locked. Rejects if those are all. */
  async renew(rows: readonly HeldRow[]): Promise<RenewedRows> {
    const held = new Map<string, boolean>()
    const unknown = new Set(rows.map((row) => row.row_key))
    const deadline = this.#deadline()
    const renew = async (part: readonly HeldRow[]): Promise<void> => {
      const answer = await this.#renewPart(part, deadline)
      for (const { row_key: key } of part) if (!answer.locked.has(key)) unknown.delete(key)
      for (const [key, isCancelled] of answer.held) held.set(key, isCancelled)
    }
    try {
      for (let at = 0; at < rows.length;) {
        const part = rows.slice(at, at + Math.floor(this.#most))
        at += part.length
        await halving(part, renew, async ({ row_key: key }, error) =>
          log.warn(`The lease of the task id=${key} could not be renewed: ${reasonOf(error)}`),
        )
      }
    } catch (error) {
      if (unknown.size === rows.length) throw error
    }
    return { held, locked: unknown }
  }

  /** Writes notes of progress. */
  async report(notes: readonly NoteRow[]): Promise<ReportedNotes> {
    const locked = new Set<string>()
    const refused = new Map<string, string>()
    const deadline = this.#deadline()
    const write = async (part: readonly NoteRow[]): Promise<void> => {
      const others = await this.#fastOrFree(
        deadline,
        () => this.#dialect.report(this.#session, part).then(() => NONE),
        () => this.#dialect.reportFree(this.#session, part),
      )
      for (const key of others) locked.add(key)
    }
    for (let at = 0; at < notes.length; at += MOST_NOTES)
      await halving(notes.slice(at, at + MOST_NOTES), write, async ({ row_key: key }, error) => {
        refused.set(key, reasonOf(error))
      })
    return { locked, refused }
  }

  async #renewPart(part: readonly HeldRow[], deadline: number): Promise<RenewedRows> {
    const [session, dialect, leaseSeconds] = [this.#session, this.#dialect, this.#leaseSeconds]
    try {
      const answer = await this.#fastOrFree(
        deadline,
        async () => ({ held: await dialect.renew(session, part, leaseSeconds), locked: NONE }),
        () => dialect.renewFree(session, part, leaseSeconds),
      )
      if (answer.locked.size > 0) this.#lockedUntil = this.#deadline()
      if (part.length >= Math.floor(this.#most))
        this.#most = Math.min(MOST_ROWS, GROWTH * this.#most)
      return answer
    } catch (error) {
      if (isTooSlow(error)) this.#most = Math.max(1, Math.min(this.#most, part.length / 2))
      throw error
    }
  }

  /** The fast way waits a moment for locked rows; then there is the other, which passes over them, for some time at once. */
  async #fastOrFree<T>(
    deadline: number,
    fast: () => Promise<T>,
    free: () => Promise<T>,
  ): Promise<T> {
    if (clock.now() > deadline) throw new NoAnswer(this.#periodMs)
    const waits = this.#leaseSeconds >= SHORTEST_WAITING_LEASE && clock.now() >= this.#lockedUntil
    if (!waits) return patiently(free)
    try {
      return await unlessLocked(fast)
    } catch (error) {
      if (!isLocked(error)) throw error
      this.#lockedUntil = this.#deadline()
      return patiently(free)
    }
  }

  /** When the next renewal is due: until then there is time for halving. */
  #deadline(): number {
    return clock.now() + this.#periodMs
  }

  get #periodMs(): number {
    return (this.#leaseSeconds * 1000) / 3
  }
}
