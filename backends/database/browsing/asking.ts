import type { DataSource, QueryRunner } from 'typeorm'
import { inTime } from '../../../lib/clock'
import { DatabaseError } from '../../../lib/errors/errors'
import { explained, isSilence, isTooSlow } from '../connections/database-errors'
import { driverOf } from '../connections/prepared'
import { patiently, Session } from '../connections/session'
import type { Values } from '../connections/statement'
import { livesInMemory, openOwn } from '../connections/worker-data-source'
import { WorkerConnections } from '../connections/worker-connections'
import { rowsOf } from '../dialects/plain-rows'
import type { BrowseWords } from '../dialects/browsing/words'
import { profileOf } from '../profiles/profile-of'
import type { Table } from '../table'

/** Limit in ms for each statement of a browser. */
export const STATEMENT_MS = 3_000
/** A server that ends statements itself says so a little later. */
const ANSWER_MS = 250
const CONNECTIONS = 2
const CLOSE_MS = 3_000

/** Statements on connections of a browser's own: the app's pool is left to the app. */
export class Asking {
  readonly session: Session
  readonly dataSource: DataSource
  readonly #tableName: string
  readonly #limitMs: number
  readonly #close: () => Promise<void>

  private constructor(
    session: Session,
    dataSource: DataSource,
    settings: { tableName: string; limitMs: number; close: () => Promise<void> },
  ) {
    this.session = session
    this.dataSource = dataSource
    this.#tableName = settings.tableName
    this.#limitMs = settings.limitMs
    this.#close = settings.close
  }

  /** A database in memory cannot be opened twice, so there the app's connection is used. @throws DatabaseUnreachableError */
  static async open(
    app: DataSource,
    table: Table,
    words: BrowseWords,
    limitMs = STATEMENT_MS,
  ): Promise<Asking> {
    const tableName = table.name
    if (livesInMemory(app))
      return new Asking(new Session(app), app, { tableName, limitMs, close: async () => {} })
    const dataSource = await openOwn(app, CONNECTIONS)
    // Filters make texts of many forms, and each that is prepared stays with its connection.
    driverOf(dataSource).isNameless = true
    const destroy = (): Promise<void> => inTime(dataSource.destroy(), CLOSE_MS).catch(() => {})
    if (!profileOf(table.type).pool)
      return new Asking(new Session(dataSource), dataSource, { tableName, limitMs, close: destroy })
    const connections = new WorkerConnections(dataSource)
    const session = limited(connections, words.limit?.(limitMs, table.isMariaDb), limitMs)
    return new Asking(session, dataSource, {
      tableName,
      limitMs,
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
      return await patiently(() => work(this.session))
    } catch (error) {
      if (isSilence(error) || isTooSlow(error)) throw this.#tooSlow(error)
      throw explained(error, this.#tableName)
    }
  }

  /** For what runs on connections of the pool without a limit of its own. */
  inTime<T>(work: Promise<T>): Promise<T> {
    return this.do(() => inTime(work, this.#limitMs))
  }

  close(): Promise<void> {
    return this.#close()
  }

  #tooSlow(cause: unknown): DatabaseError {
    return new DatabaseError(
      `A statement on the table "${this.#tableName}" was ended, since it took longer than ${this.#limitMs} ms.`,
      'Look at fewer tasks (a smaller `within`, a shorter time), or try again once the database has less to do.',
      { cause },
    )
  }
}

function limited(connections: WorkerConnections, limit: string | undefined, ms: number): Session {
  const known = new WeakSet<object>()
  const set = async (runner: QueryRunner): Promise<void> => {
    const connection = (await runner.connect()) as object
    if (limit === undefined || known.has(connection)) return
    await runner.query(limit)
    known.add(connection)
  }
  return new Session(connections.dataSource, undefined, (work) =>
    connections.use(ms + (limit === undefined ? 0 : ANSWER_MS), async (runner) => {
      await set(runner)
      return work(runner)
    }),
  )
}
