import type { DataSource } from 'typeorm'
import { DBTaskResult } from '#entities'
import { hexOf, utcText } from '#formats'
import { afterCrash } from '#retry'
import type { Exchange, Rescued, Store, Wishes } from '#lib/store'
import { readyRow } from '../support/row-values'

/** The wishes of a worker that serves every queue, unless told otherwise. */
export function wishes(differently: Partial<Wishes> = {}): Wishes {
  return { workerId: 'w-1', queues: null, excludeQueues: [], ...differently }
}

/** The tasks table of one DataSource, written and read past the store. */
export class Rows {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  async clear(): Promise<void> {
    await this.#dataSource.getRepository(DBTaskResult).clear()
  }

  /** Writes rows that wait, each different from the default as told; gives their ids. */
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

  async update(id: string, change: object): Promise<void> {
    await this.#dataSource.getRepository(DBTaskResult).update({ id }, change)
  }

  /** The row as if its worker had not renewed its lease for a minute. */
  async expire(id: string): Promise<void> {
    await this.update(id, { leaseUntil: new Date(Date.now() - 60_000) })
  }

  /** Puts SQL where TypeORM would write only what is well formed. */
  async tamper(id: string, set: string): Promise<void> {
    await this.#dataSource.query(`UPDATE db_task_result SET ${set} WHERE id = '${this.key(id)}'`)
  }

  /** The id as the database spells it. */
  key(id: string): string {
    const type = this.#dataSource
      .getMetadata(DBTaskResult)
      .columns.find(({ propertyName }) => propertyName === 'id')?.type
    return type === 'uuid' ? id : hexOf(id)
  }

  /** A moment as this database takes it in SQL. */
  moment(msFromNow: number): string {
    const text = utcText(new Date(Date.now() + msFromNow))
    return `'${text}${this.#dataSource.options.type === 'postgres' ? 'Z' : ''}'`
  }
}

/** Takes over what dead workers held, as a worker does. */
export function rescue(store: Store): Promise<Rescued> {
  return store.rescue((row) => afterCrash(row, store.maxCrashes))
}

/** Takes up to `room` rows and hands nothing in. */
export function claim(
  store: Store,
  room: number,
  differently: Partial<Wishes> = {},
): Promise<Exchange> {
  return store.exchange([], room, wishes(differently))
}

export function idsOf({ claimed }: Exchange): string[] {
  return claimed.map(({ values }) => values.id)
}
