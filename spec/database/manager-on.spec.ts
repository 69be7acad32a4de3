import Database from 'better-sqlite3'
import { createConnection, createPool } from 'mysql2/promise'
import { Client, Pool } from 'pg'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  InvalidTaskError,
  managerOn,
  NotSupportedError,
  runUntilEmpty,
  task,
} from 'typeorm-tasks'
import { describeEachDatabase, isMySqlFamily, type FreshOptions } from '../support/databases'

const note = task('spec.note', async (text: string) => text)

/** A client of the driver alone, which knows nothing of TypeORM. */
interface Foreign {
  readonly client: object
  run(sql: string): Promise<unknown>
  end(): Promise<unknown>
}

describeEachDatabase((database) => {
  let dataSource: DataSource
  let foreign: Foreign
  let pool: { readonly pool: object; end(): Promise<unknown> } | undefined

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configure(dataSource)
    foreign = await clientOn(dataSource.options as FreshOptions)
    pool = poolOn(dataSource.options as FreshOptions)
    await foreign.run('CREATE TABLE person (name VARCHAR(20))')
  })
  afterEach(async () => {
    await foreign.run('ROLLBACK').catch(() => {})
    await dataSource.getRepository(DBTaskResult).clear()
    await foreign.run('DELETE FROM person')
  })
  afterAll(() => Promise.all([foreign.end(), pool?.end()]))

  const joined = (): typeof note => note.using({ manager: managerOn(dataSource, foreign.client) })
  const texts = async (): Promise<unknown[]> =>
    (await dataSource.getRepository(DBTaskResult).find())
      .map(({ argsKwargs }) => String(argsKwargs.args[0]))
      .toSorted()
  const people = async (): Promise<number> =>
    Number((await dataSource.query<{ n: string }[]>('SELECT count(*) AS n FROM person'))[0]!.n)

  it('a task commits with what the client has written, and not before', async () => {
    await foreign.run(BEGIN)
    await foreign.run("INSERT INTO person VALUES ('Ann')")
    const result = await joined().enqueue('one')
    await joined().enqueueMany([['two'], ['three']])
    expect((await joined().getResult(result.id)).status).toBe('READY')
    expect(await texts()).toEqual([])
    await foreign.run('COMMIT')

    expect(await texts()).toEqual(['one', 'three', 'two'])
    expect(await people()).toBe(1)
    await runUntilEmpty()
    expect((await result.refresh()).returnValue).toBe('one')
  })

  it('a task vanishes with the transaction that rolls back', async () => {
    await foreign.run(BEGIN)
    await foreign.run("INSERT INTO person VALUES ('Ann')")
    await joined().enqueue('gone')
    // mysql2 with callbacks, as Knex has it.
    const { client } = foreign
    const withCallbacks = isMySqlFamily(database.name)
      ? (client as { connection?: object }).connection!
      : client
    const manager = managerOn(dataSource, withCallbacks)
    await note.using({ manager, uniqueKey: 'one' }).enqueue('gone')
    await foreign.run('ROLLBACK')

    expect(await texts()).toEqual([])
    expect(await people()).toBe(0)
  })

  it('many tasks that take several statements are all there or none, and the transaction goes on', async () => {
    const large: [string][] = Array.from({ length: 9 }, () => ['x'.repeat(1_000_000)])
    await foreign.run(BEGIN)
    await joined().enqueueMany(large)
    const manager = managerOn(dataSource, foreign.client)
    const attempt = manager.transaction(async (inner) => {
      await note.using({ manager: inner }).enqueue('gone')
      throw new Error('back')
    })
    await expect(attempt).rejects.toThrow('back')
    await note.using({ manager }).enqueue('kept')
    await foreign.run('COMMIT')

    expect((await texts()).map((text) => String(text).slice(0, 4))).toEqual([
      'kept',
      ...large.map(() => 'xxxx'),
    ])
  })

  it('an explicit one goes before an atomic around it', async () => {
    if (database.name === 'sqlite') return // two writers at a time
    await foreign.run(BEGIN)
    const attempt = atomic(dataSource, async () => {
      await joined().enqueue('kept')
      throw new Error('back')
    })
    await expect(attempt).rejects.toThrow('back')
    await foreign.run('COMMIT')

    expect(await texts()).toEqual(['kept'])
  })

  it('the transaction and the client stay with their owner', async () => {
    await foreign.run(BEGIN)
    const manager = managerOn(dataSource, foreign.client)
    await note.using({ manager }).enqueue('gone')
    const runner = manager.queryRunner!
    const refused = 'The transaction of a manager of managerOn belongs to the code that began it.'
    await expect(runner.commitTransaction()).rejects.toThrow(refused)
    await expect(runner.rollbackTransaction()).rejects.toThrow(refused)
    await runner.release()
    await expect(note.using({ manager }).enqueue('late')).rejects.toThrow(InvalidTaskError)
    await foreign.run('ROLLBACK')

    expect(await texts()).toEqual([])
  })

  it('nothing is written where no transaction is open, or not any more', async () => {
    const noTransaction =
      /^managerOn: the client has no transaction open: none was begun, or it is over\. Call `.*(BEGIN|beginTransaction).*` before/
    // In an async function, since some drivers know it at once, and others ask the server.
    await expect((async () => joined().enqueue('lost'))()).rejects.toThrow(noTransaction)
    await foreign.run(BEGIN)
    const manager = managerOn(dataSource, foreign.client)
    await note.using({ manager }).enqueue('kept')
    await foreign.run('COMMIT')
    await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(InvalidTaskError)
    await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(noTransaction)

    expect(await texts()).toEqual(['kept'])
  })

  it('a client of another database is refused, though it has such a table too', async () => {
    const other = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const elsewhere = await clientOn(other.options as FreshOptions)
    try {
      await elsewhere.run(BEGIN)
      const manager = managerOn(dataSource, elsewhere.client)
      await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(
        /^managerOn: the client is connected to the database '.+', the DataSource of TASKS to '.+'\. Pass a client of the database/,
      )
      await elsewhere.run('COMMIT')
      expect(await other.getRepository(DBTaskResult).count()).toBe(0)
    } finally {
      await elsewhere.end()
    }
  })

  it('what is no client is named as what it is', async () => {
    const expected = `managerOn: expected a client of ${DRIVER[database.name]} that is in a transaction, got `
    const on = (client: unknown) => () => managerOn(dataSource, client as object)
    const cases: [unknown, string][] = [
      [undefined, 'undefined.'],
      [{ session: {} }, 'an object (Object). Drizzle: pass the client'],
      [dataSource.manager, 'an object (EntityManager).'],
      [Promise.resolve(foreign.client), 'a promise. Await it first.'],
    ]
    if (pool)
      cases.push([pool.pool, 'a pool, which runs each statement on any of its connections.'])
    for (const [client, got] of cases) expect(on(client)).toThrow(expected + got)
  })

  it('the first enqueue of a process needs no other connection of a pool that is all in use', async () => {
    if (database.name === 'sqlite') return // no pool
    const small = new DataSource({
      ...dataSource.options,
      poolSize: 1,
      synchronize: false,
    } as DataSourceOptions)
    await small.initialize()
    configure(small)
    const runner = small.createQueryRunner()
    try {
      await runner.startTransaction()
      const client = (await runner.connect()) as object
      await note.using({ manager: managerOn(small, client) }).enqueueMany([['one'], ['two']])
      await runner.commitTransaction()
    } finally {
      await runner.release()
      await small.destroy()
      configure(dataSource)
    }
    expect(await texts()).toEqual(['one', 'two'])
  })
})

describeEachDatabase(
  (database) => {
    it('a client of an older node-postgres, or not connected, or given back to its pool', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configure(dataSource)
      const { host, port, username, password, database: name } = dataSource.options as PgOptions
      const pool = new Pool({ host, port, user: username, password, database: name, max: 1 })
      const enqueue = async (client: object): Promise<unknown> =>
        note.using({ manager: managerOn(dataSource, client) }).enqueue('one')
      try {
        await expect(enqueue(new Client())).rejects.toThrow(
          'managerOn: the client is not connected. Call `await client.connect()` first.',
        )

        const old = await pool.connect()
        Object.assign(old, { getTransactionStatus: undefined })
        await expect(enqueue(old)).rejects.toThrow('the client has no transaction open')
        await old.query('BEGIN')
        await enqueue(old)
        const manager = managerOn(dataSource, old)
        await old.query('COMMIT')
        old.release()
        const next = await pool.connect()
        await next.query('BEGIN')
        await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(
          'the client has no transaction open',
        )
        await next.query('COMMIT')
        next.release()
        expect(await dataSource.getRepository(DBTaskResult).count()).toBe(1)
      } finally {
        await pool.end()
      }
    })
  },
  { only: ['postgres'] },
)

it('a DataSource of another type is refused', async () => {
  const sqljs = new DataSource({ type: 'sqljs', entities: [DBTaskResult] })
  await sqljs.initialize()
  const attempt = (): unknown => managerOn(sqljs, {})
  expect(attempt).toThrow(NotSupportedError)
  expect(attempt).toThrow('type "sqljs". Run the INSERT of docs/guide/other-languages.md')
  await sqljs.destroy()
})

type PgOptions = Extract<FreshOptions, { type: 'postgres' }>

const BEGIN = 'BEGIN'
const DRIVER = {
  sqlite: 'better-sqlite3',
  postgres: 'node-postgres ("pg")',
  mariadb: 'mysql2',
  mysql: 'mysql2',
}

function configure(dataSource: DataSource): void {
  const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
  configureTasks({ default: { BACKEND, QUEUES: [], OPTIONS: { dataSource } } })
}

async function clientOn(options: FreshOptions): Promise<Foreign> {
  if (options.type === 'better-sqlite3') {
    const client = new Database(String(options.database))
    return { client, run: async (sql) => client.exec(sql), end: async () => client.close() }
  }
  const { host, port, username: user, password, database } = options
  const address = { host, port, user, password, database } as { host: string }
  if (options.type === 'postgres') {
    const client = new Client(address)
    await client.connect()
    return { client, run: (sql) => client.query(sql), end: () => client.end() }
  }
  const client = await createConnection(address)
  return { client, run: (sql) => client.query(sql), end: () => client.end() }
}

/** A pool, which has opened no connection; undefined where there are none. */
function poolOn({ type }: FreshOptions): { pool: object; end(): Promise<unknown> } | undefined {
  if (type === 'better-sqlite3') return undefined
  const pool = type === 'postgres' ? new Pool() : createPool({ host: 'localhost' })
  return { pool, end: () => pool.end() }
}
