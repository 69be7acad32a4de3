import { DataSource, type DataSourceOptions, type Logger } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { setLogger } from '#logger'
import { describeEachDatabase } from '../support/databases'
import { add, nothing } from '../support/tasks'

/**
 * Statements of a batch worker from its first look for tasks to its last. Django takes 8 for one task, 23 for four.
 * MariaDB has no one statement that claims: it looks whether anything waits, and only then begins a transaction, by two.
 */
const pinned = {
  sqlite: { empty: 1, one: 6, four: 6 },
  postgres: { empty: 1, one: 2, four: 2 },
  mariadb: { empty: 1, one: 9, four: 9 },
  mysql: { empty: 1, one: 9, four: 9 },
}

describeEachDatabase((database) => {
  let dataSource: DataSource
  let statements: string[]

  beforeAll(async () => {
    const logger = {
      logQuery: (sql: string) => void statements.push(sql),
      logQueryError() {},
      logQuerySlow() {},
      logSchemaBuild() {},
      logMigration() {},
      log() {},
    } as Logger
    statements = []
    dataSource = new DataSource({
      ...(await database.fresh()),
      entities: [DBTaskResult],
      synchronize: true,
      logger,
    } as DataSourceOptions)
    await dataSource.initialize()
    setLogger({ debug() {}, info() {}, warn() {}, error() {} })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    // The first time asks the database what it is.
    await nothing.enqueue()
    await runUntilEmpty()
  })
  afterAll(() => dataSource.destroy())
  beforeEach(() => {
    statements = []
  })

  it('enqueues with one INSERT, be it one task or a thousand', async () => {
    await add.enqueue(1)
    await add.enqueueMany(Array.from({ length: 1000 }, (_, i): [number] => [i]))

    // MySQL's INSERT gives nothing back: a SELECT asks for when the rows were enqueued. SQLite is asked once, before many.
    const each = database.name === 'mysql' ? ['INSERT', 'SELECT'] : ['INSERT']
    const many = database.name === 'sqlite' ? ['SELECT', 'INSERT'] : each
    expect(statements.map((sql) => /INSERT(?= INTO)|^SELECT/.exec(sql)?.[0])).toEqual([
      ...each,
      ...many,
    ])
    await dataSource.getRepository(DBTaskResult).clear()
  })

  it('reads a result with one SELECT', async () => {
    const result = await add.enqueue(1)
    statements = []

    await add.getResult(result.id)
    await result.refresh()

    expect(statements.map((sql) => sql.slice(0, 6))).toEqual(['SELECT', 'SELECT'])
    await dataSource.getRepository(DBTaskResult).clear()
  })

  it('runs tasks in a fixed number of statements', async () => {
    const counts = {
      empty: await statementsFor(0),
      one: await statementsFor(1),
      four: await statementsFor(4),
    }

    expect(counts).toEqual(pinned[database.name])
  })

  async function statementsFor(tasks: number): Promise<number> {
    await nothing.enqueueMany(Array.from({ length: tasks }, (): [] => []))
    statements = []
    await runUntilEmpty()
    // What looks once for lost workers, and for flows, does so beside the first claim.
    const ofTasks = statements.filter(
      (sql) => !/^SET SESSION|^SELECT .+(lease_until <| m\s+WHERE m\.)/s.test(sql),
    )
    return (
      ofTasks.length -
      ofTasks.findIndex((sql) =>
        /^(SET TRANSACTION|WITH RECURSIVE|SELECT max|SELECT DATE_FORMAT)/i.test(sql),
      )
    )
  }
})
