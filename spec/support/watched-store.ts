import type {
  ClaimedRow,
  Exchange,
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
} from '#lib/store'
import { MemoryStore } from '#memory/store'
import { MemoryTable } from '#memory/table'
import * as change from '#memory/row'
import { newRow } from '#new-row'
import { claimedRow } from '#database/row'
import { v7 as newId } from 'uuid'

/** What a spec needs to know of a row that it has added. */
export interface AddedRow {
  readonly key: string
  readonly values: { readonly id: string }
}

/** The store of a Memory backend: it notes what goes over the seam, and a spec may disturb that. */
export class WatchedStore implements Store {
  readonly leaseSeconds = 30
  readonly maxCrashes = 3
  readonly table = new MemoryTable()
  readonly asked: { outcomes: readonly Outcome[]; limit: number; filter: ClaimFilter }[] = []
  /** The outcomes whose fence held. */
  readonly kept: Outcome[] = []
  readonly renewals: Held[] = []
  readonly notes: ProgressNote[] = []
  readonly released: Held[] = []
  closed = 0
  /** The number of the next exchanges that fail. */
  failures = 0
  /** The number of the next releases that fail. */
  failedReleases = 0
  /** Called before each exchange that hands something in, to change rows as others might. */
  meanwhile = (_outcomes: readonly Outcome[]): void => {}
  readonly #store = new MemoryStore(this.table, {
    backendName: 'default',
    leaseSeconds: this.leaseSeconds,
    maxCrashes: this.maxCrashes,
  })

  /** Puts a row in, to be claimed. */
  add(
    taskName: string,
    args: readonly unknown[] = [],
    columns: Partial<change.MemoryRow> = {},
  ): AddedRow {
    const call = { row_key: newId(), args_kwargs: JSON.stringify({ args, kwargs: {} }) }
    const row = newRow(call, { ...SHARED, task_path: taskName }, change.instantText(Date.now()))
    this.table.rows.set(row.row_key, { ...row, leaseEnds: null, ...columns })
    return { key: row.row_key, values: { id: row.row_key } }
  }

  /** Claims one row, past the queue. */
  claimed({ key }: AddedRow): ClaimedRow {
    const row = this.table.get(key)
    change.claim(row, 'w-1', this.table.now())
    change.hold(row, this.leaseSeconds, this.table.now())
    return claimedRow(row)
  }

  /** Another worker claims these rows, as after a lost lease. */
  takeOver(rows: readonly Held[]): void {
    for (const { key } of rows) change.claim(this.table.get(key), 'w-2', this.table.now())
  }

  /** The keys of the rows that nobody has claimed. */
  get waiting(): string[] {
    return [...this.table.rows.values()]
      .filter(({ status }) => status === 'READY')
      .map((row) => row.row_key)
  }

  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    this.asked.push({ outcomes, limit, filter })
    if (this.failures > 0) {
      this.failures--
      throw new Error('connection lost')
    }
    if (outcomes.length > 0) this.meanwhile(outcomes)
    const exchange = await this.#store.exchange(outcomes, limit, filter)
    this.kept.push(...outcomes.filter((_, i) => exchange.answers[i] === 'kept'))
    return exchange
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    this.renewals.push(...rows)
    return this.#store.renew(rows)
  }

  async report(notes: readonly ProgressNote[]): Promise<Reported> {
    this.notes.push(...notes)
    return this.#store.report(notes)
  }

  async release(rows: readonly Held[], delay?: number): Promise<number> {
    if (this.failedReleases > 0) {
      this.failedReleases--
      throw new Error('connection lost')
    }
    this.released.push(...rows)
    return this.#store.release(rows, delay)
  }

  rescue(judge: Judge): Promise<Rescued> {
    return this.#store.rescue(judge)
  }

  prune(wish: PruneQuery): Promise<number> {
    return this.#store.prune(wish)
  }

  async close(): Promise<void> {
    this.closed++
    await this.#store.close()
  }
}

const SHARED = {
  priority: 0,
  queue_name: 'default',
  backend_name: 'default',
  run_after: '9999-01-01 00:00:00',
  unique_key: null,
  options: null,
}
