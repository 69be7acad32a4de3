import type { DataSource } from 'typeorm'
import { DBTaskResult } from '#entities'
import { hexOf, utcText } from '#formats'
import { readyRow } from '../support/row-values'
import type { RawColumns, Rows } from './rows'

const JSON_COLUMNS = ['args_kwargs', 'worker_ids']

/** The tasks table of one DataSource. */
export class DatabaseRows implements Rows {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  async clear(): Promise<void> {
    await this.#dataSource.getRepository(DBTaskResult).clear()
  }

  async add(...rows: Partial<DBTaskResult>[]): Promise<string[]> {
    const written = rows.map((row) => readyRow(row))
    await this.#dataSource.getRepository(DBTaskResult).insert(written as object[])
    return written.map(({ id }) => id)
  }

  async addMany(count: number): Promise<string[]> {
    return this.add(...Array.from({ length: count }, () => ({})))
  }

  async count(): Promise<number> {
    return this.#dataSource.getRepository(DBTaskResult).count()
  }

  async get(id: string): Promise<DBTaskResult> {
    return this.#dataSource.getRepository(DBTaskResult).findOneByOrFail({ id })
  }

  async update(id: string, change: Partial<DBTaskResult>): Promise<void> {
    await this.#dataSource.getRepository(DBTaskResult).update({ id }, change as object)
  }

  async expire(id: string): Promise<void> {
    await this.update(id, { leaseUntil: new Date(Date.now() - 60_000) })
  }

  async tamper(id: string, columns: RawColumns): Promise<void> {
    const set = Object.entries(columns).map(
      ([column, value]) => `${column} = ${this.#literal(column, value)}`,
    )
    await this.#dataSource.query(
      `UPDATE db_task_result SET ${set.join(', ')} WHERE id = '${this.key(id)}'`,
    )
  }

  key(id: string): string {
    const type = this.#dataSource
      .getMetadata(DBTaskResult)
      .columns.find(({ propertyName }) => propertyName === 'id')?.type
    return type === 'uuid' ? id : hexOf(id)
  }

  instant(date: Date): string {
    return `${utcText(date)}${this.#isPostgres ? 'Z' : ''}`
  }

  async whileLocked(id: string, work: () => Promise<void>): Promise<void> {
    const session = this.#dataSource.createQueryRunner()
    try {
      await session.startTransaction()
      await session.query(`SELECT id FROM db_task_result WHERE id = '${this.key(id)}' FOR UPDATE`)
      await work()
    } finally {
      await session.rollbackTransaction()
      await session.release()
    }
  }

  get #isPostgres(): boolean {
    return this.#dataSource.options.type === 'postgres'
  }

  #literal(column: string, value: string | number | null): string {
    if (typeof value !== 'string') return String(value)
    const text = `'${value.replaceAll("'", "''")}'`
    return this.#isPostgres && JSON_COLUMNS.includes(column) ? `${text}::jsonb` : text
  }
}
