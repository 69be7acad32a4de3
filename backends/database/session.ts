import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { familyOf } from '../../entities/family'
import { direct } from './direct'
import { type Values, bind } from './statement'

export interface Answer {
  readonly records: Record<string, unknown>[]
  readonly affected: number
}

/** A place to run statements: on a manager's own connection if it has one, else on one of the pool. */
export class Session {
  readonly #dataSource: DataSource
  readonly #runner: QueryRunner | undefined

  constructor(dataSource: DataSource, runner?: QueryRunner) {
    this.#dataSource = dataSource
    this.#runner = runner
  }

  static of(manager: EntityManager, dataSource: DataSource): Session {
    return new Session(dataSource, manager.queryRunner)
  }

  /** For what TypeORM says itself. */
  get manager(): EntityManager {
    return this.#runner?.manager ?? this.#dataSource.manager
  }

  /** Runs one statement with `:named` parameters. */
  async query(text: string, values: Values = {}): Promise<Answer> {
    const statement = bind(text, values, familyOf(this.#dataSource.options.type) === 'postgres' ? 'dollar' : 'question')
    const { sql, parameters } = statement
    const answer = this.#runner ? undefined : direct(this.#dataSource, statement)
    return answer ?? this.#withRunner(async (runner) => {
      // The structured form: what TypeORM gives otherwise differs from database to database.
      const { records, affected } = await runner.query(sql, parameters, true)
      return { records: (records ?? []) as Answer['records'], affected: affected ?? 0 }
    })
  }

  /** Runs `work` in a short transaction of its own, at READ COMMITTED: gap locks would make claims wait for each other. */
  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#withRunner(async (runner) => {
      await runner.startTransaction('READ COMMITTED')
      try {
        const result = await work(new Session(this.#dataSource, runner))
        await runner.commitTransaction()
        return result
      } catch (error) {
        await runner.rollbackTransaction().catch(() => {})
        throw error
      }
    })
  }

  /**
   * Runs `work` in a transaction: all or nothing. Within an open one that is a savepoint where there are any, so that
   * nothing of `work` stays if it fails and the caller goes on all the same.
   */
  async joined<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#withRunner((runner) => {
      if (runner.isTransactionActive && this.#dataSource.driver.transactionSupport !== 'nested') return work(this)
      return runner.manager.transaction((manager) => work(Session.of(manager, this.#dataSource)))
    })
  }

  async #withRunner<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    if (this.#runner) return work(this.#runner)
    const runner = this.#dataSource.createQueryRunner()
    try {
      return await work(runner)
    } finally {
      await runner.release()
    }
  }
}
