import type {
  ClaimedRow,
  Exchange,
  Held,
  Judge,
  Lost,
  Outcome,
  PruneWish,
  Renewal,
  Renewed,
  Rescued,
  Store,
  Wishes,
} from '../../lib/store'
import { inTime } from '../../lib/timeout'
import type { Sessions } from './connections/worker-connections'
import { patiently } from './connections/retry-contention'
import type { Claim, Dialect } from './dialects/dialect'
import type { FinishRow } from './row'
import type { HeldRow } from './row'
import { prune } from './pruning'
import { claimedRow } from './row'
import { explained } from './connections/database-errors'

const RESCUE_CHUNK = 100
/** Rows of which it is asked who has them now. */
const LOOKED_UP = 10
/** So long may that take, in milliseconds: the renewal is done already. */
const LOOK = 500

export interface StoreSettings {
  /** The table's name, as errors show it. */
  readonly tableName: string
  readonly backendName: string
  readonly leaseSeconds: number
  readonly maxCrashes: number
}

/** The five verbs of a worker, by way of the dialect's. */
export class DatabaseStore implements Store {
  readonly #sessions: Sessions
  readonly #dialect: Dialect
  readonly #settings: StoreSettings
  readonly #close: () => Promise<void>

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
  }

  async exchange(outcomes: readonly Outcome[], room: number, wishes: Wishes): Promise<Exchange> {
    const { exchange, sideBySideFrom = Number.POSITIVE_INFINITY } = this.#dialect
    if (Math.min(outcomes.length, room) >= sideBySideFrom)
      return this.#sideBySide(outcomes, room, wishes)
    if (outcomes.length > 0 && room > 0 && exchange)
      return this.#both(exchange, outcomes, room, wishes)
    const kept = await this.#finish(outcomes)
    return { kept, claimed: room > 0 ? await this.#claim(room, wishes) : [] }
  }

  async renew(rows: readonly Renewal[]): Promise<Renewed> {
    if (rows.length === 0) return { lost: [], cancelled: [] }
    const isLatest = latestClaims(rows)
    const renewals = rows
      .filter(isLatest)
      .map((row) => ({ ...heldRow(row), progress: row.progress }))
    const held = await this.#ask(() =>
      this.#dialect.renew(this.#sessions.renewal, renewals, this.#settings.leaseSeconds),
    )
    const lost = rows.filter((row) => !isLatest(row) || !held.has(row.key))
    return {
      lost: await this.#withTheirHolders(lost),
      cancelled: rows.filter((row) => isLatest(row) && held.get(row.key)),
    }
  }

  async release(rows: readonly Held[]): Promise<number> {
    return rows.length === 0
      ? 0
      : this.#ask(() => this.#dialect.release(this.#sessions.chore, rows.map(heldRow)))
  }

  /** Looks for rows without locking them, and then takes over only those whose lease has still ended: others look, too. */
  async rescue(judge: Judge): Promise<Rescued> {
    const expired = (
      await this.#ask(() =>
        this.#dialect.expired(this.#sessions.chore, this.#settings.backendName, RESCUE_CHUNK),
      )
    ).map(claimedRow)
    if (expired.length === 0) return { released: [], failed: [] }
    const outcomes = expired.map(judge)
    const taken = await this.#ask(() =>
      this.#dialect.takeOver(this.#sessions.chore, outcomes.map(finishRow)),
    )
    const ids = (status: Outcome['status']): string[] =>
      expired
        .filter((row, i) => taken.has(row.key) && outcomes[i]?.status === status)
        .map((row) => row.values.id)
    return { released: ids('READY'), failed: ids('FAILED') }
  }

  async prune(wish: PruneWish): Promise<number> {
    const prunable = {
      backendName: this.#settings.backendName,
      queues: wish.queues,
      minAge: wish.minAge,
      failedMinAge: wish.failedMinAge,
    }
    if (wish.dryRun)
      return this.#ask(() => this.#dialect.countPrunable(this.#sessions.walk, prunable))
    let deleted = 0
    const tell = (more: number): void => {
      deleted += more
      wish.onProgress?.(deleted)
    }
    await prune({
      dialect: this.#dialect,
      session: this.#sessions.walk,
      prunable,
      ask: (work) => this.#ask(work),
      tell,
    })
    return deleted
  }

  close(): Promise<void> {
    return this.#close()
  }

  /** For the log alone: what cannot be found out soon is left out. */
  async #withTheirHolders(lost: readonly Held[]): Promise<Lost[]> {
    const holders = lost
      .slice(0, LOOKED_UP)
      .map(async ({ key }) =>
        Number((await this.#dialect.byId(this.#sessions.chore, key))?.claims ?? 0),
      )
    const found = await inTime(Promise.allSettled(holders), LOOK).catch(() => [])
    return lost.map((row, i) =>
      found[i]?.status === 'fulfilled' ? { ...row, claimsNow: found[i].value } : row,
    )
  }

  /** What others are in the way of is tried again; what can never succeed says why. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await patiently(work)
    } catch (error) {
      throw explained(error, this.#settings.tableName)
    }
  }

  /** On two connections: while one commits, the other goes on. */
  async #sideBySide(outcomes: readonly Outcome[], room: number, wishes: Wishes): Promise<Exchange> {
    const [finish, claim] = await Promise.allSettled([
      this.#finish(outcomes),
      this.#claim(room, wishes),
    ])
    if (finish.status === 'fulfilled' && claim.status === 'fulfilled')
      return { kept: finish.value, claimed: claim.value }
    // Nobody will run what was claimed all the same.
    if (claim.status === 'fulfilled') await this.release(claim.value).catch(() => {})
    throw finish.status === 'rejected' ? finish.reason : (claim as PromiseRejectedResult).reason
  }

  async #both(
    exchange: NonNullable<Dialect['exchange']>,
    outcomes: readonly Outcome[],
    room: number,
    wishes: Wishes,
  ): Promise<Exchange> {
    const isLatest = latestClaims(outcomes)
    const { kept, claimed } = await this.#ask(() =>
      exchange(
        this.#sessions.exchange,
        outcomes.filter(isLatest).map(finishRow),
        this.#claimOf(room, wishes),
      ),
    )
    return {
      kept: outcomes.map((outcome) => isLatest(outcome) && kept.has(outcome.key)),
      claimed: claimed.map(claimedRow).toSorted(inDjangosOrder),
    }
  }

  #claimOf(room: number, wishes: Wishes): Claim {
    const { backendName, leaseSeconds } = this.#settings
    return { room, wishes, backendName, leaseSeconds }
  }

  /** Handing in the same outcome twice is harmless: what already stands as it says counts as kept. */
  async #finish(outcomes: readonly Outcome[]): Promise<boolean[]> {
    if (outcomes.length === 0) return []
    const isLatest = latestClaims(outcomes)
    const kept = await this.#ask(() =>
      this.#dialect.finish(this.#sessions.exchange, outcomes.filter(isLatest).map(finishRow)),
    )
    return outcomes.map((outcome) => isLatest(outcome) && kept.has(outcome.key))
  }

  async #claim(room: number, wishes: Wishes): Promise<ClaimedRow[]> {
    const raw = await this.#ask(() =>
      this.#dialect.claim(this.#sessions.exchange, this.#claimOf(room, wishes)),
    )
    return raw.map(claimedRow).toSorted(inDjangosOrder)
  }
}

function heldRow({ key, claims }: Held): HeldRow {
  return { row_key: key, claims }
}

/** A worker that stalled may have claimed its own row again. Claims only grow, so of one row's only the latest can hold. */
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
    attempt_error: isRetry ? JSON.stringify(outcome.error) : null,
    delay: isRetry ? outcome.delay : null,
  }
}

/** Databases promise no order for rows that an UPDATE gives back. */
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
