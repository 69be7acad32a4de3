import Database from 'better-sqlite3'
import { Client, Pool } from 'pg'
import { DataSource } from 'typeorm'
import { DBTaskResult, InvalidTaskError, managerOn, NotSupportedError, task } from 'typeorm-tasks'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { BEGIN, clientOn, configure, type Foreign, poolOn } from '../support/foreign-clients'

const note = task('spec.note', async (text: string) => text)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let foreign: Foreign
  let pool: ReturnType<typeof poolOn>

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configure(dataSource)
    foreign = await clientOn(dataSource.options as FreshOptions)
    pool = poolOn(dataSource.options as FreshOptions)
  })
  afterAll(() => Promise.all([foreign.end(), pool?.end()]))

  it('nothing is written where no transaction is open, or not any more', async () => {
    const noTransaction =
      /^managerOn: the client has no transaction open: none was begun, or it is over\. Call `.*(BEGIN|beginTransaction).*` before/
    // In an async function, since some drivers know it at once, and others ask the server.
    await expect(
      (async () =>
        note.using({ manager: managerOn(dataSource, foreign.client) }).enqueue('lost'))(),
    ).rejects.toThrow(noTransaction)
    await foreign.run(BEGIN)
    const manager = managerOn(dataSource, foreign.client)
    await note.using({ manager }).enqueue('kept')
    await foreign.run('COMMIT')
    await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(InvalidTaskError)
    await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(noTransaction)

    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(1)
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
      [() => 'trx of Knex', 'a function. Drizzle: pass the client'],
      [{ session: {} }, 'an object (Object). Drizzle: pass the client'],
      [dataSource.manager, 'an object (EntityManager).'],
      [Promise.resolve(foreign.client), 'a promise. Await it first.'],
    ]
    if (pool)
      cases.push([pool.pool, 'a pool, which runs each statement on any of its connections.'])
    for (const [client, got] of cases) expect(on(client)).toThrow(expected + got)
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

describeEachDatabase(
  (database) => {
    it('a synchronous transaction is over before its enqueue begins, which writes nothing', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configure(dataSource)
      const client = new Database(String(dataSource.options.database))
      const lost: Promise<unknown>[] = []
      client.transaction(() => {
        const manager = managerOn(dataSource, client)
        lost.push(
          note
            .using({ manager })
            .enqueue('lost')
            .catch((error: unknown) => error),
        )
      })()

      expect(await lost[0]).toBeInstanceOf(InvalidTaskError)
      expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
      client.close()
      expect(() => managerOn(dataSource, client)).toThrow('better-sqlite3 is closed')
    })

    it('a client that only reads is told to open the file for writing', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configure(dataSource)
      const client = new Database(String(dataSource.options.database), { readonly: true })
      client.exec('BEGIN')
      const manager = managerOn(dataSource, client)
      await expect(note.using({ manager }).enqueue('lost')).rejects.toThrow(
        'Open the file without `readonly`',
      )
      client.close()
    })

    it('a database in memory is no other one in memory', async () => {
      const settings = { type: 'better-sqlite3', database: ':memory:' } as const
      const memory = new DataSource({ ...settings, entities: [DBTaskResult], synchronize: true })
      await memory.initialize()
      configure(memory)
      const own = (await memory.createQueryRunner().connect()) as Database.Database
      const other = new Database(':memory:')
      for (const client of [own, other]) client.exec('BEGIN')
      const enqueue = (client: object): Promise<unknown> =>
        note.using({ manager: managerOn(memory, client) }).enqueue('one')

      await expect(enqueue(other)).rejects.toThrow('is connected to the database in its memory')
      await enqueue(own)
      own.exec('COMMIT')
      expect(await memory.getRepository(DBTaskResult).count()).toBe(1)
      other.close()
      await memory.destroy()
    })
  },
  { only: ['sqlite'] },
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

const DRIVER = {
  sqlite: 'better-sqlite3',
  postgres: 'node-postgres ("pg")',
  mariadb: 'mysql2',
  mysql: 'mysql2',
}
