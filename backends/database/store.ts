import type {
  ClaimedRow,
  Exchange,
  Held,
  Judge,
  Lost,
  Outcome,
  PruneWish,
  ProgressNote,
  Renewed,
  Reported,
  Rescued,
  Store,
  Wishes,
} from '../../lib/store'
import { inTime } from '../../lib/clock'
import type { Sessions } from './connections/worker-connections'
import { patiently } from './connections/session'
import type { Dialect } from './dialects/dialect'
import { HandIn } from './batches/hand-in'
import { HeldRows } from './batches/held-rows'
import { isComplete, LargeArguments } from './batches/large-arguments'
import { giveBack, takeOver } from './batches/unclaim'
import { prune } from './pruning'
import { claimedRow, type FinishRow, type HeldRow } from './row'
import { explained } from './connections/database-errors'

/** Rows of lost workers that one call takes over. */
const RESCUE_CHUNK = 100
/** Lost rows whose present claim is looked up. */
const LOOKED_UP = 10
/** Time for that in ms: the renewal itself is done already. */
const LOOK_UP_MS = 500

export interface StoreSettings {
  /** The table's name, as errors show it. */
  readonly tableName: string
  readonly backendName: string
  readonly leaseSeconds: number
  readonly maxCrashes: number
}

/** The verbs of a worker by the dialect's: converts rows, repeats statements, explains errors. */
export class DatabaseStore implements Store {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  readonly #settings: StoreSettings
  readonly #close: () => Promise<void>
  readonly #handIn: HandIn
  readonly #held: HeldRows
  readonly #arguments: LargeArguments

  get leaseSeconds(): number {
    return this.#settings.leaseSeconds
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
    this.#handIn = new HandIn(sessions, dialect)
    this.#held = new HeldRows(sessions.renewal, dialect, settings.leaseSeconds)
    this.#arguments = new LargeArguments(sessions, dialect)
  }

  /** Storing the same outcome twice is harmless: a row that already holds it counts as kept. */
  async exchange(outcomes: readonly Outcome[], limit: number, filter: Wishes): Promise<Exchange> {
    const { backendName, leaseSeconds } = this.#settings
    const { workerId } = filter
    const isLatest = latestClaims(outcomes)
    // Not awaited where there is nothing to do: the statement would be sent only after the tasks of this turn have run.
    if (this.#arguments.owesRows) await this.#arguments.settle()
    const { kept, answers, claimed, failure } = await this.#explained(() =>
      this.#handIn.exchange(outcomes.filter(isLatest).map(finishRow), {
        limit,
        filter,
        held: filter.held,
        workerId,
        backendName,
        leaseSeconds,
      }),
    )
    const complete = isComplete(claimed) ? claimed : await this.#arguments.complete(claimed)
    return {
      answers: outcomes.map((outcome) => {
        if (!isLatest(outcome)) return 'refused'
        return kept.has(outcome.key) ? 'kept' : (answers.get(outcome.key) ?? 'refused')
      }),
      claimed: complete.map(claimedRow).toSorted(inDjangosOrder),
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
      lost: await this.#withPresentClaims(lost),
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
    ).map(claimedRow)
    if (expired.length === 0) return { released: [], failed: [] }
    const taken = await takeOver(expired.map(judge).map(finishRow), (part) =>
      this.#ask(() => this.#dialect.takeOver(this.#sessions.chore, part)),
    )
    const ids = (status: Outcome['status']): string[] =>
      expired.filter((row) => taken.get(row.key) === status).map((row) => row.values.id)
    return { released: ids('READY'), failed: ids('FAILED') }
  }

  async prune({ queues, minAge, failedMinAge, dryRun, onProgress }: PruneWish): Promise<number> {
    const { backendName } = this.#settings
    const prunable = { backendName, queues, minAge, failedMinAge }
    if (dryRun) return this.#ask(() => this.#dialect.countPrunable(this.#sessions.walk, prunable))
    let deleted = 0
    await prune({
      dialect: this.#dialect,
      session: this.#sessions.walk,
      prunable,
      ask: (work) => this.#ask(work),
      onDeleted: (more) => {
        deleted += more
        onProgress?.(deleted)
      },
    })
    return deleted
  }

  async close(): Promise<void> {
    await this.#arguments.settle()
    await this.#close()
  }

  /** For the log only: what takes too long to look up is left out. */
  async #withPresentClaims(lost: readonly Held[]): Promise<Lost[]> {
    const lookUps = lost
      .slice(0, LOOKED_UP)
      .map(async ({ key }) =>
        Number((await this.#dialect.byId(this.#sessions.chore, key))?.claims ?? 0),
      )
    const found = await inTime(Promise.allSettled(lookUps), LOOK_UP_MS).catch(() => [])
    return lost.map((row, i) =>
      found[i]?.status === 'fulfilled' ? { ...row, claimsNow: found[i].value } : row,
    )
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

function heldRow({ key, claims }: Held): HeldRow {
  return { row_key: key, claims }
}

/** A worker that stalled may have claimed its own row again. Claims only grow, so only the latest claim of a row can be valid. */
function latestClaims(rows: readonly Held[]): (row: Held) => boolean {
  const latest = new Map<string, number>()
  for (const { key, claims } of rows) latest.set(key, Math.max(claims, latest.get(key) ?? claims))
  return ({ key, claims }) => claims === latest.get(key)
}

/** An outcome as the statements take it. */
export function finishRow(outcome: Outcome): FinishRow {
  const isRetry = outcome.status === 'READY'
  const error = outcome.status === 'FAILED' ? outcome.error : undefined
  return {
    row_key: outcome.key,
    claims: outcome.claims,
    status: outcome.status,
    return_value: outcome.status === 'SUCCESSFUL' ? outcome.returnValue : null,
    exception_class_path: error?.exceptionClassPath ?? '',
    traceback: error?.traceback ?? '',
    progress: outcome.progress ?? null,
    attempt_errors: isRetry ? JSON.stringify(outcome.errors) : null,
    delay: isRetry ? outcome.delay : null,
  }
}

/** Databases promise no order for the rows that an UPDATE returns. */
function inDjangosOrder(a: ClaimedRow, b: ClaimedRow): number {
  const delayed = (row: ClaimedRow): number =>
    row.values.runAfter?.getTime() ?? Number.POSITIVE_INFINITY
  const enqueued = (row: ClaimedRow): number => row.values.enqueuedAt?.getTime() ?? 0
  return (
    b.values.priority - a.values.priority ||
    compare(delayed(a), delayed(b)) ||
    compare(enqueued(a), enqueued(b)) ||
    compare(a.values.id, b.values.id)
  )
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
