import type { DataSource, Repository } from 'typeorm'
import { DBTaskResult } from '#entities'
import { dialectFor } from '#dialect-for'
import { Session } from '#session'
import { tableOf } from '#database/table'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'
import type { Ground } from '../contract/ground'

/** The tasks table of a DataSource. */
export class EntityGround implements Ground {
  readonly #dataSource: () => DataSource

  constructor(dataSource: () => DataSource) {
    this.#dataSource = dataSource
  }

  all(): Promise<DBTaskResult[]> {
    return this.#rows.find({ order: { id: 'ASC' } })
  }

  clear(): Promise<void> {
    return this.#rows.clear()
  }

  async succeed(id: string, returnValue: unknown, finishedAt = new Date()): Promise<void> {
    const change = { status: 'SUCCESSFUL', returnValue: returnValue as never, finishedAt } as const
    await this.#rows.update({ id }, change)
  }

  async fail(id: string): Promise<void> {
    await this.#rows.update({ id }, { status: 'FAILED', exceptionClassPath: 'Error' })
  }

  async rename(id: string, taskPath: string): Promise<void> {
    await this.#rows.update({ id }, { taskPath })
  }

  async verbs(): Promise<{ readonly rows: FlowRows; readonly hexIds: boolean }> {
    const table = await tableOf(this.#dataSource())
    const rows = dialectFor(table).flowRows(new Session(this.#dataSource()))
    return { rows, hexIds: table.hexIds }
  }

  get #rows(): Repository<DBTaskResult> {
    return this.#dataSource().getRepository(DBTaskResult)
  }
}
