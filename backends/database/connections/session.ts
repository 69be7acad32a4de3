import type { DataSource, EntityManager, QueryRunner } from 'typeorm'
import { clock } from '../../../lib/clock'
import type { Placeholder } from '../profiles/profile'
import { isContention, isLocked } from './database-errors'
import { discard } from './driver-connection'
import { literalOf } from './literals'
import { type Driver, driverOf, prepared } from './prepared'
import type { Answer, Column, Statement, Values } from './statement'

/** How long contention is retried. */
const PATIENCE_MS = 30_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 100

/** Lends a runner until `work` has ended. */
export type Lend = <T>(work: (runner: QueryRunner) => Promise<T>) => Promise<T>

/** Runs statements: on a manager's own connection if it has one, else on one that is lent, by default from the pool. */
export class Session {
  readonly #dataSource: DataSource
  readonly #driver: Driver
  readonly #runner: QueryRunner | undefined
  readonly #lend: Lend | undefined

  constructor(dataSource: DataSource, runner?: QueryRunner, lend?: Lend) {
    this.#dataSource = dataSource
    this.#driver = driverOf(dataSource)
    this.#runner = runner
    this.#lend = lend
  }

  static of(manager: EntityManager, dataSource: DataSource): Session {
    return new Session(dataSource, manager.queryRunner)
  }

  /** For statements that TypeORM builds. */
  get manager(): EntityManager {
    return this.#runner?.manager ?? this.#dataSource.manager
  }

  get isInTransaction(): boolean {
    return this.#runner?.isTransactionActive ?? false
  }

  /** On the connection of a manager, which may be in a transaction that TypeORM does not know: nothing must be tried again. */
  get isJoined(): boolean {
    return this.#runner !== undefined
  }

  /** Runs one statement with `:named` parameters. */
  async query(text: string, values: Values = {}): Promise<Answer> {
    const statement = bind(text, values, this.#driver)
    if (this.#runner) return ask(this.#runner, statement)
    if (this.#lend)
      return this.#lend(
        async (runner) =>
          (await prepared(this.#dataSource, this.#driver, statement, runner)) ??
          ask(runner, statement),
      )
    return (
      (await prepared(this.#dataSource, this.#driver, statement)) ??
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
        // Otherwise the next user of the connection would be in this transaction.
        await runner
          .rollbackTransaction()
          .catch(() => discard(runner))
          .catch(() => {})
        throw error
      }
    })
  }

  /**
   * Runs `work` in a transaction: all or nothing. Within an open one it is a savepoint where the database has them, so
   * that nothing of `work` stays if it fails and the caller continues.
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

/**
 * Runs `work` again as long as it fails by contention, for up to 30 s. SQLite's driver is told not to wait for locks,
 * since it would block the whole process meanwhile; the waiting happens here, where tasks can go on. `isInTheWay`: which
 * errors to wait for, by default all of contention.
 */
export async function patiently<T>(
  work: () => Promise<T>,
  isInTheWay: (error: unknown) => boolean = isContention,
): Promise<T> {
  const deadline = clock.now() + PATIENCE_MS
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5)) {
    try {
      return await work()
    } catch (error) {
      if (!isInTheWay(error) || clock.now() > deadline) throw error
      await clock.sleep(pause * (0.5 + Math.random()))
    }
  }
}

/** As `patiently`, but gives up at once when a row is locked: those of others must not wait for it. */
export function unlessLocked<T>(work: () => Promise<T>): Promise<T> {
  return patiently(work, (error) => isContention(error) && !isLocked(error))
}

/** In the structured form: what TypeORM gives otherwise differs from database to database. */
async function ask(runner: QueryRunner, { sql, parameters }: Statement): Promise<Answer> {
  const { records, affected } = await runner.query(sql, parameters, true)
  return { records: (records ?? []) as Answer['records'], affected: affected ?? 0 }
}

/** Lends a runner of the pool of a DataSource. */
export function fromPool(dataSource: DataSource): Lend {
  return async (work) => {
    const runner = dataSource.createQueryRunner()
    try {
      return await work(runner)
    } finally {
      await runner.release()
    }
  }
}

/** A text with its placeholders in place, and the names whose values they stand for. */
interface Plan {
  readonly sql: string
  readonly names: readonly string[]
}

// Neither a cast (`::uuid`) nor a time's format (`HH24:MI`) is a parameter.
const NAMED = /(?<![:\w]):(\w+)/g
/** Statements are few; only lists of queues of many lengths could make many. */
const MOST_PLANS = 500

/** By their texts: making one key of text and lengths would cost as much as all the rest. */
const plans = new Map<string, Map<string, Plan>>()

/**
 * Binds values to a statement with `:named` parameters, always as parameters; the driver that makes text of them gets safe ones. A list becomes `?, ?, …`.
 * TypeORM's own binding is not used, since it would also rewrite names inside quotes.
 */
function bind(text: string, values: Values, { placeholder, bindsInText }: Driver): Statement {
  const { sql, names } = planOf(text, values, placeholder)
  const parameters: unknown[] = []
  for (const name of names) {
    const value = values[name]
    if (isList(value)) parameters.push(...value)
    else parameters.push(isColumn(value) ? value.column : value)
  }
  return { sql, parameters: bindsInText ? parameters.map(literalOf) : parameters }
}

function planOf(text: string, values: Values, placeholder: Placeholder): Plan {
  const ofText = plans.get(text) ?? new Map<string, Plan>()
  const key = placeholder + lengthsOf(values)
  const known = ofText.get(key)
  if (known) return known
  if (plans.size >= MOST_PLANS || ofText.size >= MOST_PLANS) plans.clear()
  const plan = planned(text, values, placeholder)
  plans.set(text, ofText.set(key, plan))
  return plan
}

function planned(text: string, values: Values, placeholder: Placeholder): Plan {
  const names: string[] = []
  let count = 0
  const next = (): string => (count++, placeholder === 'dollar' ? `$${count}` : '?')
  const sql = text.replace(NAMED, (_, name: string) => {
    const value = values[name]
    if (value === undefined)
      throw new TypeError(`The statement has a parameter :${name}, but there is no value for it.`)
    names.push(name)
    return isList(value) ? value.map(next).join(', ') : next()
  })
  return { sql, names }
}

function lengthsOf(values: Values): string {
  let lengths = ''
  for (const name in values) {
    const value = values[name]
    if (isList(value)) lengths += `${name}${value.length},`
  }
  return lengths
}

function isList(value: Values[string] | undefined): value is readonly string[] {
  return Array.isArray(value)
}

function isColumn(value: Values[string] | undefined): value is Column {
  return typeof value === 'object' && value !== null && 'column' in value
}
