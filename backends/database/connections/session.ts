import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { familyOf } from '../../../entities/database-family'
import { direct } from './prepared'
import { discard } from './driver-connection'
import { type Answer, type Statement, type Values, bind } from './statement'

/** Lends a runner for as long as `work` takes. */
export type Lend = <T>(work: (runner: QueryRunner) => Promise<T>) => Promise<T>

/** A place to run statements: on a manager's own connection if it has one, else on one that is lent, by default from the pool. */
export class Session {
  readonly #dataSource: DataSource
  readonly #runner: QueryRunner | undefined
  readonly #lend: Lend | undefined

  constructor(dataSource: DataSource, runner?: QueryRunner, lend?: Lend) {
    this.#dataSource = dataSource
    this.#runner = runner
    this.#lend = lend
  }

  static of(manager: EntityManager, dataSource: DataSource): Session {
    return new Session(dataSource, manager.queryRunner)
  }

  /** For what TypeORM says itself. */
  get manager(): EntityManager {
    return this.#runner?.manager ?? this.#dataSource.manager
  }

  get isInTransaction(): boolean {
    return this.#runner?.isTransactionActive ?? false
  }

  /** Runs one statement with `:named` parameters. */
  async query(text: string, values: Values = {}): Promise<Answer> {
    const statement = bind(
      text,
      values,
      familyOf(this.#dataSource.options.type) === 'postgres' ? 'dollar' : 'question',
    )
    if (this.#runner) return ask(this.#runner, statement)
    if (this.#lend)
      return this.#lend(
        async (runner) =>
          (await direct(this.#dataSource, statement, runner)) ?? ask(runner, statement),
      )
    return (
      (await direct(this.#dataSource, statement)) ??
      this.#withRunner((runner) => ask(runner, statement))
    )
  }

  /** Runs `work` in a short transaction of its own, at READ COMMITTED: gap locks would make claims wait for each other. */
  async transaction<T>(
    work: (session: Session) => Promise<T>,
    isolation: 'READ COMMITTED' | 'READ UNCOMMITTED' = 'READ COMMITTED',
  ): Promise<T> {
    return this.#withRunner(async (runner) => {
      await runner.startTransaction(isolation)
      try {
        const result = await work(new Session(this.#dataSource, runner))
        await runner.commitTransaction()
        return result
      } catch (error) {
        // Else the next one to use the connection would find itself in this transaction.
        await runner
          .rollbackTransaction()
          .catch(() => discard(runner))
          .catch(() => {})
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
      if (runner.isTransactionActive && this.#dataSource.driver.transactionSupport !== 'nested')
        return work(this)
      return runner.manager.transaction((manager) => work(Session.of(manager, this.#dataSource)))
    })
  }

  async #withRunner<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return this.#runner ? work(this.#runner) : (this.#lend ?? fromPool(this.#dataSource))(work)
  }
}

/** In the structured form: what TypeORM gives otherwise differs from database to database. */
async function ask(runner: QueryRunner, { sql, parameters }: Statement): Promise<Answer> {
  const { records, affected } = await runner.query(sql, parameters, true)
  return { records: (records ?? []) as Answer['records'], affected: affected ?? 0 }
}

function fromPool(dataSource: DataSource): Lend {
  return async (work) => {
    const runner = dataSource.createQueryRunner()
    try {
      return await work(runner)
    } finally {
      await runner.release()
    }
  }
}
