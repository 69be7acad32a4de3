import type { DataSource, QueryRunner } from 'typeorm'
import { inTime } from '../../../lib/clock'
import { DatabaseError } from '../../../lib/errors/errors'
import {
  explained,
  isAway,
  isSilence,
  isTooSlow,
  unreachable,
} from '../connections/database-errors'
import { driverOf } from '../connections/prepared'
import { fromPool, type Lend, patiently, Session } from '../connections/session'
import type { Values } from '../connections/statement'
import { livesInMemory, openOwn } from '../connections/worker-data-source'
import { WorkerConnections } from '../connections/worker-connections'
import { rowsOf } from '../dialects/plain-rows'
import type { BrowseWords } from '../dialects/browsing/words'
import type { Question } from '../profiles/profile'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** Limit in ms for each statement of a browser. */
export const STATEMENT_MS = 3_000
/** A server that ends statements itself says so a little later. */
const ANSWER_MS = 250
const CONNECTIONS = 2
const CLOSE_MS = 3_000

interface AskingSettings {
  readonly lend: Lend
  readonly tableName: string
  readonly limitMs: number
  readonly close: () => Promise<void>
}

/** Statements on connections of a browser's own: the app's pool is left to the app. */
export class Asking {
  readonly dataSource: DataSource
  readonly #session: Session
  readonly #settings: AskingSettings

  private constructor(dataSource: DataSource, settings: AskingSettings) {
    this.dataSource = dataSource
    this.#settings = settings
    this.#session = new Session(dataSource, undefined, settings.lend)
  }

  /** A database in memory cannot be opened twice, so there the app's connection is used. @throws DatabaseUnreachableError */
  static async open(
    app: DataSource,
    table: Table,
    words: BrowseWords,
    limitMs = STATEMENT_MS,
  ): Promise<Asking> {
    const settings = { tableName: table.name, limitMs }
    if (livesInMemory(app))
      return new Asking(app, { ...settings, lend: fromPool(app), close: async () => {} })
    const dataSource = await openOwn(app, CONNECTIONS)
    // Filters make texts of many forms, and each that is prepared stays with its connection.
    driverOf(dataSource).isNameless = true
    const destroy = (): Promise<void> => inTime(dataSource.destroy(), CLOSE_MS).catch(() => {})
    if (!profileOf(table.type).pool)
      return new Asking(dataSource, { ...settings, lend: fromPool(dataSource), close: destroy })
    const connections = new WorkerConnections(dataSource)
    return new Asking(dataSource, {
      ...settings,
      lend: lentWithin(connections, words.limit?.(limitMs, table.isMariaDb), limitMs),
      close: () => connections.close().then(destroy),
    })
  }

  /** The rows of one statement with `:named` parameters, as texts and numbers. @throws DatabaseError if it takes too long */
  rows<Row>(text: string, values: Values = {}): Promise<Row[]> {
    return this.do(async (session) => rowsOf<Row>(await session.query(text, values)))
  }

  /** Runs `work`, again while others are in its way. @throws DatabaseError if a statement takes too long */
  async do<T>(work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await patiently(() => work(this.#session))
    } catch (error) {
      if (isSilence(error) || isTooSlow(error)) throw this.#tooSlow(error)
      if (isAway(error)) throw unreachable(error, this.dataSource.options.type)
      throw explained(error, this.#settings.tableName)
    }
  }

  /** The rows of a statement of a profile. */
  profiled({ sql, values }: Question): Promise<Record<string, unknown>[]> {
    return this.do(() =>
      this.#settings.lend(
        async (runner) => (await runner.query(sql, values)) as Record<string, unknown>[],
      ),
    )
  }

  /** For what runs on connections of the pool without a limit of its own. */
  inTime<T>(work: Promise<T>): Promise<T> {
    return this.do(() => inTime(work, this.#settings.limitMs))
  }

  close(): Promise<void> {
    return this.#settings.close()
  }

  #tooSlow(cause: unknown): DatabaseError {
    return new DatabaseError(
      `A statement on the table "${this.#settings.tableName}" was ended, since it took longer than ${this.#settings.limitMs} ms.`,
      'Look at fewer tasks (a smaller `within`, a shorter time), or try again once the database has less to do.',
      { cause },
    )
  }
}

/** `limit`: the statement that has the server end those that take longer. */
function lentWithin(connections: WorkerConnections, limit: string | undefined, ms: number): Lend {
  const limited = new WeakSet<object>()
  const setLimit = async (runner: QueryRunner): Promise<void> => {
    const connection = (await runner.connect()) as object
    if (limit === undefined || limited.has(connection)) return
    await runner.query(limit)
    limited.add(connection)
  }
  return (work) =>
    connections.use(ms + (limit === undefined ? 0 : ANSWER_MS), async (runner) => {
      await setLimit(runner)
      return work(runner)
    })
}
