import type { SetLinks } from '../../lib/row/flow-parts'
import type {
  Exchange,
  Heartbeat,
  Held,
  Judge,
  Outcome,
  PruneQuery,
  ProgressNote,
  Renewed,
  Reported,
  Rescued,
  Store,
  ClaimFilter,
  Settled,
} from '../../lib/store'
import type { Sessions } from './connections/worker-connections'
import { patiently } from './connections/session'
import type { Claim, Dialect, Exchanged } from './dialects/dialect'
import { agesOf } from './dialects/prunable'
import { failedWhole, type HandedIn, HandIn } from './batches/hand-in'
import { HeldRows } from './batches/held-rows'
import { LargeArguments } from './batches/large-arguments'
import { PORTION, sizeOfAll } from './batches/portions'
import { heldRow, latestClaims } from './batches/latest-claims'
import { withPresentClaims } from './batches/present-claims'
import { giveBack, takeOver } from './batches/unclaim'
import { StoreFlows } from './flows/store-flows'
import { prune } from './pruning'
import {
  type ClaimedRaw,
  claimedRow,
  expiredRow,
  finishRow,
  type FinishRow,
  inDjangosOrder,
} from './row'
import { explained } from './connections/database-errors'

/** Rows of lost workers that one call takes over. On PostgreSQL and SQLite each call reads the table, so there should be few. */
const RESCUE_CHUNK = 500

export interface StoreSettings extends Pick<Store, 'heartbeat' | 'pausedQueues'> {
  /** The table's name, as errors show it. */
  readonly tableName: string
  readonly backendName: string
  readonly leaseSeconds: number
  readonly maxCrashes: number
  readonly hexIds: boolean
}

/** The verbs of a worker by the dialect's: converts rows, repeats statements, explains errors. */
export class DatabaseStore implements Store {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  readonly #settings: StoreSettings
  readonly #close: () => Promise<void>
  /** The most text, in characters, that outcomes of one statement may carry. */
  readonly #portion: number
  /** After an exchange that failed, or is too large. */
  #handIn: HandIn | undefined
  readonly #held: HeldRows
  /** After a claim that left out arguments for their size. */
  #arguments: LargeArguments | undefined
  readonly #flows: StoreFlows

  get heartbeat(): Heartbeat | undefined {
    return this.#settings.heartbeat
  }

  get pausedQueues(): Store['pausedQueues'] {
    return this.#settings.pausedQueues
  }

  get leaseSeconds(): number {
    return this.#settings.leaseSeconds
  }

  /** What one failed exchange left behind is found out by the next, with no other beside it. */
  get exchangesAtOnce(): number {
    return this.#handIn?.isNeeded ? 1 : this.#dialect.exchangesAtOnce
  }

  get maxCrashes(): number {
    return this.#settings.maxCrashes
  }

  constructor(
    sessions: Sessions,
    dialect: Dialect,
    settings: StoreSettings,
    close: () => Promise<void>,
  ) {
    this.#sessions = sessions
    this.#dialect = dialect
    this.#settings = settings
    this.#close = close
    // An insert counts each character twice.
    this.#portion = Math.min(PORTION, dialect.maxStatement / 2)
    this.#flows = new StoreFlows(sessions, dialect, settings.backendName, settings.hexIds)
    this.#held = new HeldRows(sessions.renewal, dialect, settings.leaseSeconds)
  }

  /** Storing the same outcome twice is harmless: a row that already holds it counts as kept. */
  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    const { backendName, leaseSeconds } = this.#settings
    const { workerId } = filter
    const isLatest = latestClaims(outcomes)
    // Not awaited where there is nothing to do: the statement would be sent only after the tasks of this turn have run.
    if (this.#arguments?.owesRows) await this.#arguments.settle()
    const { kept, answers, claimed, failure, isUnsure } = await this.#explained(() =>
      this.#exchange(outcomes.filter(isLatest).map(finishRow), {
        limit,
        filter,
        held: filter.held,
        workerId,
        backendName,
        leaseSeconds,
      }),
    )
    const whole = claimed.every(hasArguments) ? claimed : await this.#large().complete(claimed)
    const complete = whole.some((row) => this.#flows.isToBeFilled(row))
      ? await this.#flows.filled(whole, (rows) => this.#large().giveBack(rows))
      : whole
    return {
      answers: outcomes.map((outcome) => {
        if (!isLatest(outcome)) return 'refused'
        return kept.has(outcome.key) ? 'kept' : (answers?.get(outcome.key) ?? 'refused')
      }),
      claimed: complete.map(claimedRow).toSorted(inDjangosOrder),
      ...((isUnsure || complete.length < claimed.length) && { isUnsure: true }),
      ...(failure !== undefined && { failure: explained(failure, this.#settings.tableName) }),
    }
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    if (rows.length === 0) return { lost: [], cancelled: [], unknown: [] }
    const isLatest = latestClaims(rows)
    const latest = rows.filter(isLatest).map(heldRow)
    const { held, locked } = await this.#explained(() => this.#held.renew(latest))
    const lost = rows.filter((row) => !isLatest(row) || !(held.has(row.key) || locked.has(row.key)))
    return {
      lost: await withPresentClaims(lost, this.#dialect, this.#sessions.chore),
      cancelled: rows.filter((row) => isLatest(row) && held.get(row.key)),
      unknown: rows.filter((row) => isLatest(row) && locked.has(row.key)),
    }
  }

  async report(notes: readonly ProgressNote[]): Promise<Reported> {
    if (notes.length === 0) return { later: [], refused: [] }
    const latest = notes.filter(latestClaims(notes))
    const rows = latest.map((note) => ({ ...heldRow(note), progress: note.progress }))
    const { locked, refused } = await this.#explained(() => this.#held.report(rows))
    return {
      later: latest.filter(({ key }) => locked.has(key)),
      refused: latest.flatMap(({ key, claims }) => {
        const reason = refused.get(key)
        return reason === undefined ? [] : [{ key, claims, reason }]
      }),
    }
  }

  async release(rows: readonly Held[], delay: number | null = null): Promise<number> {
    return giveBack(rows.map(heldRow), (part) =>
      this.#ask(() => this.#dialect.release(this.#sessions.chore, part, delay)),
    )
  }

  /** Reads rows without locking them, and then takes over only those whose lease has still ended: other workers read them, too. */
  async rescue(judge: Judge): Promise<Rescued> {
    const expired = (
      await this.#ask(() =>
        this.#dialect.expired(this.#sessions.chore, this.#settings.backendName, RESCUE_CHUNK),
      )
    ).map(expiredRow)
    if (expired.length === 0) return { released: [], failed: [] }
    const taken = await takeOver(expired.map(judge).map(finishRow), (part) =>
      this.#ask(() => this.#dialect.takeOver(this.#sessions.chore, part)),
    )
    const ids = (status: Outcome['status']): string[] =>
      expired.filter((row) => taken.get(row.key) === status).map((row) => row.values.id)
    const left = expired.length - taken.size
    return { released: ids('READY'), failed: ids('FAILED'), ...(left > 0 && { left }) }
  }

  async settle(sets: readonly SetLinks[]): Promise<number> {
    return sets.length === 0 ? 0 : this.#ask(() => this.#flows.settle(sets))
  }

  async settleWaiting(): Promise<Settled> {
    return this.#ask(() => this.#flows.settleWaiting())
  }

  async prune({ queues, dryRun, onProgress, mayGoOn, ...ages }: PruneQuery): Promise<number> {
    const { backendName } = this.#settings
    const prunable = { backendName, queues, ...agesOf(ages) }
    if (dryRun) return this.#ask(() => this.#dialect.countPrunable(this.#sessions.walk, prunable))
    let deleted = 0
    await prune({
      dialect: this.#dialect,
      session: this.#sessions.walk,
      prunable,
      hexIds: this.#settings.hexIds,
      mayGoOn: mayGoOn ?? (async () => true),
      ask: (work) => this.#ask(work),
      onDeleted: (more) => {
        deleted += more
        onProgress?.(deleted)
      },
    })
    return deleted
  }

  async close(): Promise<void> {
    await this.#arguments?.settle()
    await this.#close()
  }

  /** One statement for all, if it can be. */
  async #exchange(rows: readonly FinishRow[], claim: Claim): Promise<HandedIn> {
    const careful = (): HandIn =>
      (this.#handIn ??= new HandIn(this.#sessions, this.#dialect, this.#portion))
    if (this.#handIn?.isNeeded || sizeOfAll(rows) > this.#portion)
      return careful().exchange(rows, claim)
    let exchanged: Exchanged
    try {
      exchanged = await this.#dialect.exchange(this.#sessions.exchange, rows, claim)
    } catch (failure) {
      return careful().afterFailure(rows, claim, failedWhole(failure))
    }
    const { kept, claimed } = exchanged
    return kept && claimed ? { kept, claimed } : careful().afterFailure(rows, claim, exchanged)
  }

  #large(): LargeArguments {
    return (this.#arguments ??= new LargeArguments(this.#sessions, this.#dialect))
  }

  /** Repeats a statement while others are in its way; an error that can never go away explains why. */
  #ask<T>(work: () => Promise<T>): Promise<T> {
    return this.#explained(() => patiently(work))
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw explained(error, this.#settings.tableName)
    }
  }
}

function hasArguments({ args_kwargs }: ClaimedRaw): boolean {
  return args_kwargs !== null
}
