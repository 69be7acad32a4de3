import type { DBTaskResult } from '#entities'
import { dashed, utcText } from '#formats'
import { clock } from '#clock'
import type { MemoryRow } from '#memory/row'
import type { MemoryTable } from '#memory/table'
import { type Columns, columnsOf, rawOf } from '#row-to-entity'
import { readyRow } from '../support/row-values'
import type { RawColumns, Rows } from './rows'

/** The rows of Memory backends. */
export class MemoryRows implements Rows {
  readonly #table: MemoryTable

  constructor(table: MemoryTable) {
    this.#table = table
  }

  async clear(): Promise<void> {
    this.#table.rows.clear()
  }

  async add(...rows: Partial<DBTaskResult>[]): Promise<string[]> {
    return rows.map((row) => {
      const written = readyRow(row)
      this.#write(written)
      return written.id
    })
  }

  async addMany(count: number): Promise<string[]> {
    return this.add(...Array.from({ length: count }, () => ({})))
  }

  async count(): Promise<number> {
    return this.#table.rows.size
  }

  async get(id: string): Promise<DBTaskResult> {
    return columnsOf(this.#row(id))
  }

  async update(id: string, change: Partial<DBTaskResult>): Promise<void> {
    this.#write({ ...columnsOf(this.#row(id)), ...change })
  }

  async expire(id: string): Promise<void> {
    await this.update(id, { leaseUntil: new Date(this.#table.now() - 60_000) })
  }

  async tamper(id: string, columns: RawColumns): Promise<void> {
    const { id: key = id, priority = this.#row(id).priority, ...texts } = columns
    const others = Object.entries(texts).map(([column, value]) => [column, textOf(value)])
    const row = {
      ...this.#row(id),
      ...(Object.fromEntries(others) as Partial<MemoryRow>),
      row_key: String(key),
      priority: Number(priority),
    }
    this.#table.rows.delete(id)
    this.#table.rows.set(row.row_key, row)
  }

  key(id: string): string {
    return dashed(id)
  }

  instant(date: Date): string {
    return utcText(date)
  }

  #row(id: string): MemoryRow {
    return this.#table.get(id)
  }

  #write(row: Columns): void {
    const left = row.leaseUntil && row.leaseUntil.getTime() - this.#table.now()
    const leaseEnds = left === null ? null : clock.now() + left
    this.#table.rows.set(row.id, { ...rawOf(row, false), leaseEnds })
  }
}

/** All other columns keep text. */
function textOf(value: string | number | null): string | null {
  return value === null ? null : String(value)
}
