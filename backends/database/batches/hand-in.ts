import { OutcomeRefused } from '../../../lib/errors/run-errors'
import { log } from '../../../lib/events/logger'
import type { OutcomeAnswer } from '../../../lib/store'
import { isContention, isLocked, isRefusal, isTooSlow } from '../connections/database-errors'
import { patiently, unlessLocked } from '../connections/session'
import type { Sessions } from '../connections/worker-connections'
import { type Claim, type Dialect, type Exchanged, NONE } from '../dialects/dialect'
import { UnheardClaims } from './unheard-claims'
import { reasonOf, refusedRow } from './refused-row'
import { halving, portionsOf, sizeOfAll } from './portions'
import type { ClaimedRaw, FinishRow } from '../row'

/** Portions do not shrink below this size, in characters: smaller ones do not fail for their size. */
const SMALLEST_PORTION = 64 * 1024
/** A portion that was stored lets the next ones grow by this factor. */
const GROWTH = 1.5
/** How often an outcome is tried by itself that takes the database too long, or costs the connection. */
const TRIES = 3
/** How often the FAILED is tried that stands for a refused outcome, while the database takes those of others. */
const FAILED_TRIES = 5
/** Most rows that are remembered: some are never handed in again, since others have got them. */
const MOST_REMEMBERED = 10_000

type Answers = Map<string, OutcomeAnswer>

export interface HandedIn {
  /** Keys of the rows that now hold their outcome, of those that have no answer in `answers`: mostly of all. */
  readonly kept: ReadonlySet<string>
  /** By key. */
  readonly answers?: ReadonlyMap<string, OutcomeAnswer>
  readonly claimed: readonly ClaimedRaw[]
  /** Why nothing could be claimed. */
  readonly failure?: unknown
  /** A statement before may have claimed rows that are not among `claimed`. */
  readonly isUnsure?: boolean
}

/**
 * Hands in outcomes in the careful way, which one statement for all is not: one outcome that the database refuses, or whose row
 * somebody else has locked, does not keep those of others. It passes over locked rows, and halves what is refused until the
 * refused one is alone. A store needs it only after that one statement has failed.
 */
export class HandIn {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  /** The size of portions at present: less after one that was too much. */
  #portion: number
  readonly #largest: number
  /** Rows that go in the careful way, apart from the others, and how often each was tried in vain. */
  readonly #apart = new Map<string, number>()
  readonly #unheard: UnheardClaims
  /** A claim since the last answer may have brought rows that nobody heard of. */
  #isUnsure = false
  /** The last claim succeeded: the database works. */
  #isWorking = true

  /** `largest`: the most text, in characters, that outcomes of one statement may carry. */
  constructor(sessions: Sessions, dialect: Dialect, largest: number) {
    this.#sessions = sessions
    this.#dialect = dialect
    this.#largest = largest
    this.#portion = largest
    this.#unheard = new UnheardClaims(sessions, dialect)
  }

  /** Something is left of earlier failures, so that not all outcomes may go in one statement. */
  get isNeeded(): boolean {
    return this.#apart.size > 0 || this.#unheard.arePossible || this.#portion < this.#largest
  }

  /** Stores outcomes and claims. Rejects if the outcomes could not be stored, for a reason that is not theirs. */
  async exchange(rows: readonly FinishRow[], claim: Claim): Promise<HandedIn> {
    if (this.#unheard.arePossible) {
      this.#isUnsure = true
      await this.#unheard.giveBack(claim)
    }
    const answers: Answers = new Map()
    const isApart = ({ row_key: key }: FinishRow): boolean => this.#apart.has(key)
    const others = rows.filter((row) => !isApart(row))
    const portions = portionsOf(others, this.#portion)
    const last = portions.pop() ?? []
    for (const portion of portions) await this.#store(portion, answers)
    if (others.length < rows.length) await this.#carefully(rows.filter(isApart), answers)
    return this.#withDoubt(await this.#claimWith(last, answers, claim))
  }

  /** Goes on after an exchange that has failed, in part or as a whole. Rejects as `exchange` does. */
  async afterFailure(
    rows: readonly FinishRow[],
    claim: Claim,
    exchanged: Exchanged,
  ): Promise<HandedIn> {
    return this.#withDoubt(await this.#goOn(rows, new Map(), claim, exchanged))
  }

  #noteFailedClaim(claim: Claim, failure: unknown): void {
    if (this.#unheard.note(claim, failure)) this.#isUnsure = true
  }

  #withDoubt(handedIn: HandedIn): HandedIn {
    const isUnsure = this.#isUnsure
    this.#isUnsure = false
    return isUnsure ? { ...handedIn, isUnsure } : handedIn
  }

  /** Stores a portion, and claims whatever becomes of it. */
  async #claimWith(rows: readonly FinishRow[], answers: Answers, claim: Claim): Promise<HandedIn> {
    const exchange = this.#dialect.exchange(this.#sessions.exchange, rows, claim)
    return this.#goOn(rows, answers, claim, await exchange.catch(failedWhole))
  }

  async #goOn(
    rows: readonly FinishRow[],
    answers: Answers,
    claim: Claim,
    { kept, claimed, failure }: Exchanged,
  ): Promise<HandedIn> {
    this.#isWorking = claimed !== null
    if (claimed === null) this.#noteFailedClaim(claim, failure)
    if (kept === null && claimed === null) {
      if (rows.length > 0) {
        await this.#afterFailure(rows, failure, answers)
        return this.#claimWith([], answers, claim)
      }
      // What was answered does not wait until a claim succeeds.
      if (answers.size === 0) throw failure
      return { kept: NONE, answers, claimed: [], failure }
    }
    // Rows were claimed, so there is an answer whatever comes of the outcomes.
    if (kept === null)
      await this.#afterFailure(rows, failure, answers).catch(() => later(rows, answers))
    return claimed === null
      ? { kept: kept ?? NONE, answers, claimed: [], failure }
      : { kept: kept ?? NONE, answers, claimed }
  }

  async #store(rows: readonly FinishRow[], answers: Answers): Promise<void> {
    const { exchange } = this.#sessions
    try {
      this.#answer(rows, await unlessLocked(() => this.#dialect.finish(exchange, rows)), answers)
      this.#portion = Math.min(this.#largest, Math.max(this.#portion, GROWTH * sizeOfAll(rows)))
    } catch (error) {
      await this.#afterFailure(rows, error, answers)
    }
  }

  /** The statement for all has failed. @throws the error if it is not about them. */
  async #afterFailure(rows: readonly FinishRow[], error: unknown, answers: Answers): Promise<void> {
    if (isTooSlow(error)) this.#shrink(rows)
    if (isRefusal(error) || isLocked(error)) return this.#carefully(rows, answers)
    return this.#afterLoss(rows, error, answers)
  }

  /**
   * There was no answer. If the database works, the size of the portion may be the reason: a server ends the connection of
   * a packet that is too large for it. @throws the error if it does not work, or the portion is small.
   */
  async #afterLoss(rows: readonly FinishRow[], error: unknown, answers: Answers): Promise<void> {
    const [only, ...others] = rows
    if (only === undefined || isContention(error) || sizeOfAll(rows) <= SMALLEST_PORTION)
      throw error
    this.#shrink(rows)
    const look = this.#dialect.byId(this.#sessions.chore, only.row_key)
    if (!(await look.then(Boolean, () => false))) throw error
    if (others.length === 0) return this.#alone(only, error, answers)
    for (const { row_key: key } of rows) this.#defer(key, answers)
  }

  async #carefully(rows: readonly FinishRow[], answers: Answers): Promise<void> {
    for (const portion of portionsOf(rows, this.#portion))
      await halving(
        portion,
        (part) => this.#storeFree(part, answers),
        (row, error) => this.#alone(row, error, answers),
      )
  }

  async #storeFree(rows: readonly FinishRow[], answers: Answers): Promise<void> {
    const { exchange } = this.#sessions
    try {
      const { kept, locked } = await patiently(() => this.#dialect.finishFree(exchange, rows))
      this.#answer(rows, kept, answers)
      for (const key of locked) this.#defer(key, answers)
    } catch (error) {
      if (isTooSlow(error)) this.#shrink(rows)
      if (isRefusal(error)) throw error
      await this.#afterLoss(rows, error, answers)
    }
  }

  /** The database refuses this outcome by itself. One that it has no time for may come at a better moment. */
  async #alone(row: FinishRow, error: unknown, answers: Answers): Promise<void> {
    const { row_key: key } = row
    const tries = 1 + (this.#apart.get(key) ?? 0)
    const mayDoLater = isTooSlow(error) || !isRefusal(error)
    if (mayDoLater && tries <= TRIES) return this.#defer(key, answers, tries)
    try {
      await this.#storeFailed(row, error, answers)
    } catch (refusal) {
      if (!isRefusal(refusal)) throw refusal
      if (tries < FAILED_TRIES || !this.#isWorking) return this.#defer(key, answers, tries)
      log.error(`The outcome of the task id=${key} is given up: ${reasonOf(refusal)}`)
      this.#answer([row], new Set(), answers)
    }
  }

  /** Stores FAILED in place of an outcome that the database refuses. */
  async #storeFailed(row: FinishRow, error: unknown, answers: Answers): Promise<void> {
    const { row_key: key, claims } = row
    const failed = refusedRow(row, new OutcomeRefused(reasonOf(error)))
    const { kept, locked } = await patiently(() =>
      this.#dialect.finishFree(this.#sessions.exchange, [failed]),
    )
    this.#answer([row], kept, answers)
    if (locked.has(key)) this.#defer(key, answers)
    if (!kept.has(key)) return
    const { exception_class_path: exceptionClassPath, traceback } = failed
    answers.set(key, { key, claims, status: 'FAILED', error: { exceptionClassPath, traceback } })
  }

  #answer(rows: readonly FinishRow[], kept: ReadonlySet<string>, answers: Answers): void {
    for (const { row_key: key } of rows) {
      answers.set(key, kept.has(key) ? 'kept' : 'refused')
      if (this.#apart.size > 0) this.#apart.delete(key)
    }
  }

  #defer(key: string, answers: Answers, tries = this.#apart.get(key) ?? 0): void {
    if (this.#apart.size >= MOST_REMEMBERED) this.#apart.clear()
    this.#apart.set(key, tries)
    answers.set(key, 'later')
  }

  #shrink(rows: readonly FinishRow[]): void {
    this.#portion = Math.max(SMALLEST_PORTION, Math.min(this.#portion, sizeOfAll(rows) / 2))
  }
}

/** An exchange of which neither half succeeded. */
export function failedWhole(failure: unknown): Exchanged {
  return { kept: null, claimed: null, failure }
}

function later(rows: readonly FinishRow[], answers: Answers): void {
  for (const { row_key: key } of rows) if (!answers.has(key)) answers.set(key, 'later')
}
