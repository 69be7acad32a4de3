import { recordOf } from '../../lib/failure'
import type { ClaimedRow, Counts, Exchange, Held, Outcome, PruneWish, Renewal, Renewed, Rescued, Store, Wishes } from '../../lib/store'
import { WorkerLostError } from '../../lib/errors'
import { patiently } from './contention'
import { type Dialect, type FinishRow, type HeldRow, queueFilter, queueValues } from './dialect'
import { type RawRow, claimedRow } from './row'
import type { Answer, Session } from './session'
import type { Values } from './statement'

/** Rows deleted by one statement: few enough that no claim waits for it. */
const PRUNE_CHUNK = 500
const RESCUE_CHUNK = 100
const PLACEHOLDER_PARAMETER = '{queues}'

export interface StoreSettings {
  readonly backendName: string
  readonly leaseSeconds: number
  readonly maxCrashes: number
}

/** The six verbs of a worker, by way of the dialect's statements. */
export class DatabaseStore implements Store {
  readonly #session: Session
  readonly #dialect: Dialect
  readonly #settings: StoreSettings
  readonly #close: () => Promise<void>

  constructor(session: Session, dialect: Dialect, settings: StoreSettings, close: () => Promise<void>) {
    this.#session = session
    this.#dialect = dialect
    this.#settings = settings
    this.#close = close
  }

  async exchange(outcomes: readonly Outcome[], room: number, wishes: Wishes): Promise<Exchange> {
    const kept = await this.#finish(outcomes)
    return { kept, claimed: room > 0 ? await this.#claim(room, wishes) : [] }
  }

  async renew(rows: readonly Renewal[]): Promise<Renewed> {
    if (rows.length === 0) return { lost: [], cancelled: [] }
    const batch = batchOf(rows.map((row) => ({ ...heldRow(row), progress: row.progress })))
    const answer = await this.#run('renew', { ...batch, leaseSeconds: this.#settings.leaseSeconds })
    const { records } = this.#dialect.updateReturns ? answer : await this.#run('held', batch)
    const held = new Map(records.map((record) => [keyOf(record), Boolean(record['cancelled'])]))
    return { lost: rows.filter((row) => !held.has(row.key)), cancelled: rows.filter((row) => held.get(row.key)) }
  }

  async release(rows: readonly Held[]): Promise<number> {
    return rows.length === 0 ? 0 : (await this.#run('release', batchOf(rows.map(heldRow)))).affected
  }

  async rescue(): Promise<Rescued> {
    const { records } = await this.#run('expired', { backendName: this.#settings.backendName, limit: RESCUE_CHUNK })
    const expired = records.map((record) => claimedRow(record as unknown as RawRow))
    const outcomes = expired.map((row) => this.#afterCrash(row))
    const kept = await this.#finish(outcomes)
    const ids = (status: Outcome['status']): string[] => expired.filter((_, i) => kept[i] && outcomes[i]?.status === status).map((row) => row.values.id)
    return { released: ids('READY'), failed: ids('FAILED') }
  }

  async prune(wish: PruneWish): Promise<number> {
    const values = { backendName: this.#settings.backendName, minAge: wish.minAge, failedMinAge: wish.failedMinAge, ...queueValues(everyQueueOr(wish.queues)) }
    if (wish.dryRun) return Number((await this.#run('countPrunable', values, wish.queues)).records[0]?.['n'])
    let deleted = 0
    for (let last: string | null = null; ; ) {
      const { records } = await this.#run('prunable', { ...values, last, limit: PRUNE_CHUNK }, wish.queues)
      if (records.length === 0) return deleted
      const keys = records.map(keyOf)
      deleted += (await this.#run('deleteByIds', { keys, ids: JSON.stringify(keys) })).affected
      wish.onProgress?.(deleted)
      last = keys.at(-1) ?? null
    }
  }

  async count(wishes: Pick<Wishes, 'queues' | 'excludeQueues'>): Promise<Counts> {
    const text = this.#dialect.sql.count.replace(PLACEHOLDER_PARAMETER, queueFilter(wishes))
    const { records } = await patiently(() => this.#session.query(text, { backendName: this.#settings.backendName, ...queueValues(wishes) }))
    const found = Object.fromEntries(records.map((record) => [String(record['status']), Number(record['n'])]))
    return { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, ...found }
  }

  close(): Promise<void> {
    return this.#close()
  }

  /** Handing in the same outcome twice is harmless: what already stands as it says counts as kept. */
  async #finish(outcomes: readonly Outcome[]): Promise<boolean[]> {
    if (outcomes.length === 0) return []
    const batch = batchOf(outcomes.map(finishRow))
    const { affected } = await this.#run('finish', batch)
    if (affected === outcomes.length) return outcomes.map(() => true)
    const { records } = await this.#run('settled', batch)
    const settled = new Set(records.map(keyOf))
    return outcomes.map((outcome) => settled.has(outcome.key))
  }

  async #claim(room: number, wishes: Wishes): Promise<ClaimedRow[]> {
    const { backendName, leaseSeconds } = this.#settings
    const raw = await patiently(() => this.#dialect.claim(this.#session, { room, wishes, backendName, leaseSeconds }))
    return raw.map(claimedRow).toSorted(inDjangosOrder)
  }

  /** A row whose worker is gone runs again, unless that happened too often. */
  #afterCrash(row: ClaimedRow): Outcome {
    const error = recordOf(new WorkerLostError(row.values.workerIds.at(-1) ?? 'unknown'))
    const crashes = 1 + row.values.errors.filter((earlier) => earlier.exceptionClassPath === error.exceptionClassPath).length
    const held = { key: row.key, claims: row.claims }
    return crashes >= this.#settings.maxCrashes ? { ...held, status: 'FAILED', error } : { ...held, status: 'READY', error, delay: null }
  }

  #run(name: keyof Dialect['sql'], values: Values, queues: readonly string[] | null = null): Promise<Answer> {
    const text = this.#dialect.sql[name].replace(PLACEHOLDER_PARAMETER, queueFilter(everyQueueOr(queues)))
    return patiently(() => this.#session.query(text, values))
  }
}

function everyQueueOr(queues: readonly string[] | null): Pick<Wishes, 'queues' | 'excludeQueues'> {
  return { queues, excludeQueues: [] }
}

/** A batch as the dialects take it: all of it as one JSON text, and the ids as a list too. */
function batchOf(rows: readonly HeldRow[]): { rows: string; keys: string[] } {
  return { rows: JSON.stringify(rows), keys: rows.map((row) => row.row_key) }
}

function heldRow({ key, claims }: Held): HeldRow {
  return { row_key: key, claims }
}

function finishRow(outcome: Outcome): FinishRow {
  const failed = outcome.status === 'FAILED' ? outcome.error : undefined
  return {
    ...heldRow(outcome),
    status: outcome.status,
    return_value: outcome.status === 'SUCCESSFUL' ? outcome.returnValue : null,
    exception_class_path: failed?.exceptionClassPath ?? '',
    traceback: failed?.traceback ?? '',
    attempt_error: outcome.status === 'READY' ? JSON.stringify(outcome.error) : null,
    delay: outcome.status === 'READY' ? outcome.delay : null,
  }
}

function keyOf(record: Record<string, unknown>): string {
  return String(record['row_key'])
}

/** Databases promise no order for rows that an UPDATE gives back. */
function inDjangosOrder(a: ClaimedRow, b: ClaimedRow): number {
  const delayed = (row: ClaimedRow): number => row.values.runAfter?.getTime() ?? Number.POSITIVE_INFINITY
  const enqueued = (row: ClaimedRow): number => row.values.enqueuedAt?.getTime() ?? 0
  return b.values.priority - a.values.priority || compare(delayed(a), delayed(b)) || compare(enqueued(a), enqueued(b)) || compare(a.values.id, b.values.id)
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
