import type { ClaimFilter } from '../../lib/store'
import { instantText, type MemoryRow } from './row'
import { isDueAt, isInQueues, type MemoryTable } from './table'

/** After every instant. */
const NEVER = '~'

/**
 * The rows that a claim takes. What a look at the whole table finds is kept for the next claims, until a row is added or waits
 * again, or one that was delayed is due.
 */
export class DueRows {
  readonly #table: MemoryTable
  readonly #backendName: string
  /** The best is last. */
  #waiting: MemoryRow[] = []
  #served = ''
  #changes = -1
  #upTo = ''

  constructor(table: MemoryTable, backendName: string) {
    this.#table = table
    this.#backendName = backendName
  }

  /** The first of them, in the order of a worker. */
  take(limit: number, filter: ClaimFilter): MemoryRow[] {
    const now = instantText(this.#table.now())
    const served = JSON.stringify([filter.queues, filter.excludeQueues])
    const isKnown =
      served === this.#served && this.#changes === this.#table.changes && now < this.#upTo
    const known = isKnown ? this.#next(limit, now) : []
    if (known.length === limit) return known
    this.#look(filter, now)
    this.#served = served
    return this.#next(limit, now)
  }

  #look(filter: ClaimFilter, now: string): void {
    this.#changes = this.#table.changes
    this.#waiting = []
    this.#upTo = NEVER
    for (const row of this.#table.rows.values()) {
      if (row.status !== 'READY' || row.backend_name !== this.#backendName) continue
      if (!isInQueues(row, filter)) continue
      if (isDueAt(row, now)) this.#waiting.push(row)
      else if (row.run_after !== null && row.run_after < this.#upTo) this.#upTo = row.run_after
    }
    this.#waiting.sort((a, b) => inDjangosOrder(b, a))
  }

  /** Meanwhile one may have been claimed by another worker, cancelled or deleted. */
  #next(limit: number, now: string): MemoryRow[] {
    const found: MemoryRow[] = []
    while (found.length < limit) {
      const row = this.#waiting.pop()
      if (!row) break
      const isThere = this.#table.rows.get(row.row_key) === row
      if (isThere && row.status === 'READY' && isDueAt(row, now)) found.push(row)
    }
    return found
  }
}

/** By priority; then those that were delayed, by their time; then by age. Text of instants sorts as they do. */
function inDjangosOrder(a: MemoryRow, b: MemoryRow): number {
  return (
    Number(b.priority) - Number(a.priority) ||
    compare(a.run_after, b.run_after) ||
    compare(a.enqueued_at, b.enqueued_at) ||
    compare(a.row_key, b.row_key)
  )
}

function compare(a: string | null, b: string | null): number {
  const [one, other] = [a ?? '', b ?? '']
  return one < other ? -1 : one > other ? 1 : 0
}
