import { dashed } from '../../entities/formats'
import { clock } from '../../lib/clock'
import type { SetLinks } from '../../lib/row/flow-parts'
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
  Settled,
} from '../../lib/store'
import { Filling } from '../database/flows/fill'
import { partOf, Settling } from '../database/flows/settling'
import { claimedRow, expiredRow } from '../database/row'
import { scheduleOf } from '../keys'
import { DueRows } from './due-rows'
import { MemoryFlowRows } from './flow-rows'
import * as change from './row'
import type { MemoryRow } from './row'
import { isInQueues, type MemoryTable } from './table'

const RESCUE_CHUNK = 100
const PRUNE_CHUNK = 500

export interface MemoryStoreSettings {
  readonly backendName: string
  readonly leaseSeconds: number
  readonly maxCrashes: number
}

/** The verbs of a worker on rows in this process. Nothing of a verb happens between those of other workers. */
export class MemoryStore implements Store {
  readonly #table: MemoryTable
  readonly #settings: MemoryStoreSettings
  readonly #close: () => void
  readonly #settling: Settling
  readonly #filling: Filling
  readonly #due: DueRows

  constructor(table: MemoryTable, settings: MemoryStoreSettings, close = (): void => {}) {
    this.#table = table
    this.#settings = settings
    const rows = new MemoryFlowRows(table)
    this.#settling = new Settling(rows, settings.backendName, false)
    this.#filling = new Filling(rows)
    this.#due = new DueRows(table, settings.backendName)
    this.#close = close
  }

  get leaseSeconds(): number {
    return this.#settings.leaseSeconds
  }

  get maxCrashes(): number {
    return this.#settings.maxCrashes
  }

  async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    const answers = outcomes.map((outcome) => (this.#finish(outcome) ? 'kept' : 'refused'))
    return { answers, claimed: await Promise.all(this.#claim(limit, filter).map(this.#filled)) }
  }

  async renew(rows: readonly Held[]): Promise<Renewed> {
    const held = rows.filter((row) => this.#held(row))
    for (const { key } of held) {
      const row = this.#table.rows.get(key)
      if (row) change.hold(row, this.leaseSeconds, this.#table.now())
    }
    const lost = rows.filter((row) => !held.includes(row))
    return {
      lost: lost.map((row) => ({ ...row, claimsNow: this.#claimsOf(row) })),
      cancelled: held.filter((row) => this.#isCancelled(row)),
      unknown: [],
    }
  }

  async report(notes: readonly ProgressNote[]): Promise<Reported> {
    for (const note of notes) {
      const row = this.#held(note)
      if (row) row.progress = note.progress
    }
    return { later: [], refused: [] }
  }

  async release(rows: readonly Held[], delay?: number): Promise<number> {
    let released = 0
    for (const held of rows) {
      const row = this.#held(held)
      if (!row || row.cancel_requested_at !== null) continue
      change.release(row)
      this.#table.changes += 1
      if (delay !== undefined) row.run_after = change.instantText(this.#table.now() + delay)
      released += 1
    }
    return released
  }

  async rescue(judge: Judge): Promise<Rescued> {
    const outcomes = this.#own()
      .filter(({ leaseEnds }) => leaseEnds !== null && leaseEnds < clock.now())
      .slice(0, RESCUE_CHUNK)
      .map((row) => judge(expiredRow(row)))
    const taken = outcomes.filter((outcome) => this.#finish(outcome))
    const ids = (status: Outcome['status']): string[] =>
      taken.filter((outcome) => outcome.status === status).map(({ key }) => dashed(key))
    return { released: ids('READY'), failed: ids('FAILED') }
  }

  settle(sets: readonly SetLinks[]): Promise<number> {
    return this.#settling.settle(sets)
  }

  settleWaiting(): Promise<Settled> {
    return this.#settling.settleWaiting()
  }

  async prune(query: PruneQuery): Promise<number> {
    const old = this.#own().filter(
      (row) => isInQueues(row, query) && this.#isOld(row, query) && !this.#isNewestSlot(row),
    )
    if (query.dryRun) return old.length
    let deleted = 0
    for (let at = 0; at < old.length; at += PRUNE_CHUNK) {
      if (query.mayGoOn && !(await query.mayGoOn())) break
      // Meanwhile one may have been retried, or deleted.
      const chunk = old.slice(at, at + PRUNE_CHUNK).filter((row) => this.#isOld(row, query))
      deleted += chunk.filter(({ row_key: key }) => this.#table.rows.delete(key)).length
      query.onProgress?.(deleted)
    }
    return deleted
  }

  async close(): Promise<void> {
    this.#close()
  }

  #own(): MemoryRow[] {
    const { backendName } = this.#settings
    return [...this.#table.rows.values()].filter((row) => row.backend_name === backendName)
  }

  readonly #filled = async (row: MemoryRow): Promise<ClaimedRow> =>
    claimedRow(partOf(row.options).awaits ? await this.#filling.filled(row) : row)

  #claim(limit: number, filter: ClaimFilter): MemoryRow[] {
    if (limit <= 0) return []
    const now = this.#table.now()
    const best = this.#due.take(limit, filter)
    for (const row of best) {
      change.claim(row, filter.workerId, now)
      change.hold(row, this.leaseSeconds, now)
    }
    return best
  }

  /** Whether the row now says what the outcome says. */
  #finish(outcome: Outcome): boolean {
    const row = this.#table.rows.get(outcome.key)
    if (!row) return false
    if (!change.mayFinish(row, outcome)) return change.stands(row, outcome)
    change.finish(row, outcome, this.#table.now())
    if (outcome.status === 'READY') this.#table.changes += 1
    return true
  }

  /** The row, if that claim still holds it. */
  #held(held: Held): MemoryRow | undefined {
    const row = this.#table.rows.get(held.key)
    return row && change.isHeldBy(row, held) ? row : undefined
  }

  #isCancelled({ key }: Held): boolean {
    return typeof this.#table.rows.get(key)?.cancel_requested_at === 'string'
  }

  #claimsOf({ key }: Held): number {
    return Number(this.#table.rows.get(key)?.claims ?? 0)
  }

  /** By the newest one it is known which slots of its schedule have had their turn. */
  #isNewestSlot(row: MemoryRow): boolean {
    const schedule = scheduleOf(row.unique_key)
    return schedule !== null && this.#table.newestSlot(schedule) === row
  }

  #isOld(
    { status, finished_at: finishedAt, task_path: taskName }: MemoryRow,
    query: PruneQuery,
  ): boolean {
    if (finishedAt === null || (status !== 'SUCCESSFUL' && status !== 'FAILED')) return false
    const ages = query.tasks?.find(({ name }) => name === taskName) ?? query
    const age = status === 'FAILED' ? ages.failedMinAge : ages.minAge
    return age !== undefined && finishedAt <= change.instantText(this.#table.now() - age)
  }
}
