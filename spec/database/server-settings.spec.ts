import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DatabaseError,
  DBTaskResult,
  type Problem,
  runUntilEmpty,
  startWorker,
} from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { describeEachDatabase, type FreshOptions, type SpecDatabase } from '../support/databases'
import type { Server } from '../support/servers/server'
import { startServer } from '../support/servers/start'
import { withSession } from '../support/session-settings'
import { catchLog, echo } from '../support/tasks'

interface Case {
  readonly set: string
  /** The name that error and `check` give. */
  readonly name: string
  readonly on: readonly SpecDatabase['name'][]
}

const BOTH = ['mariadb', 'mysql'] as const

/** Nothing can work, or texts would be lost: not even an enqueue is tried. */
const STOPS_ALL: readonly Case[] = [
  {
    set: "sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
    name: 'NO_BACKSLASH_ESCAPES',
    on: BOTH,
  },
  {
    set: "sql_mode = CONCAT(@@sql_mode, ',EMPTY_STRING_IS_NULL')",
    name: 'EMPTY_STRING_IS_NULL',
    on: ['mariadb'],
  },
  { set: 'character_set_connection = latin1', name: 'character_set_connection', on: BOTH },
  { set: 'character_set_results = latin1', name: 'character_set_results', on: BOTH },
  { set: 'NAMES utf8mb3', name: 'character_set_client', on: BOTH },
  { set: 'autocommit = 0', name: 'autocommit', on: BOTH },
  { set: 'completion_type = CHAIN', name: 'completion_type', on: BOTH },
  { set: 'sql_select_limit = 2', name: 'sql_select_limit', on: BOTH },
  { set: 'sql_select_limit = 1000', name: 'sql_select_limit', on: BOTH },
]

describeEachDatabase(
  (database) => {
    const casesHere = STOPS_ALL.filter(({ on }) => on.includes(database.name))

    it.each(casesHere)('$set: nothing is enqueued, and error and check name it', async (each) => {
      const [dataSource, plain] = await opened(database, withSession([`SET ${each.set}`]))

      const [problem, ...others] = await check(dataSource)
      expect(others).toEqual([])
      expect(problem).toMatchObject({ level: 'error' })
      expect(problem!.message).toContain(each.name)
      expect(problem!.hint).toMatch(/^(Set|Take) /)
      configure(dataSource)
      await expect(echo.enqueue("it's")).rejects.toMatchObject({
        name: 'DatabaseError',
        what: problem!.message,
        hint: problem!.hint,
      })
      await expect(startWorker()).rejects.toThrow(each.name)
      expect(await plain.getRepository(DBTaskResult).count()).toBe(0)
    })

    it.each(['LATIN1_SWEDISH_CI', 'UTF8_GENERAL_CI'])(
      'a DataSource whose charset is %s loses no text in silence: the error says what to set',
      async (charset) => {
        const [dataSource] = await opened(database, { charset } as Partial<DataSourceOptions>)
        configure(dataSource)

        await expect(echo.enqueueMany([['日本'], ['😀']])).rejects.toThrow(
          /character_set_client is \w+.*Set `charset: 'utf8mb4'` in the DataSource/,
        )
      },
    )

    it('sql_safe_updates: workers run, or end with the fix', async () => {
      const [dataSource] = await opened(database, withSession(['SET sql_safe_updates = 1']))
      configure(dataSource)
      const result = await echo.enqueue(1)

      if (database.name === 'mysql') {
        await runUntilEmpty()
        await result.refresh()
        expect(result.status).toBe('SUCCESSFUL')
        expect(await check(dataSource)).toEqual([])
        return
      }
      await expect(runUntilEmpty()).rejects.toThrow(DatabaseError)
      await expect(startWorker()).rejects.toThrow(
        /sql_safe_updates is ON.*Set sql_safe_updates = OFF/,
      )
      expect((await check(dataSource)).map(({ level, message }) => [level, message])).toEqual([
        ['error', expect.stringContaining('sql_safe_updates') as string],
      ])
      await result.refresh()
      expect([result.status, result.attempts]).toEqual(['READY', 0])
    })

    it('a server that is set to read only: check says why nothing happens', async () => {
      const name = database.name === 'mysql' ? 'transaction_read_only' : 'tx_read_only'
      const [dataSource] = await opened(database, withSession([`SET ${name} = 1`]))

      expect(await check(dataSource)).toEqual([
        {
          level: 'warning',
          message: expect.stringContaining(`${name} is ON`) as string,
          hint: expect.stringContaining('primary') as string,
        },
      ])
    })

    it('a limit that refuses statements: the error says where to look', async () => {
      const [dataSource] = await opened(
        database,
        withSession(['SET sql_big_selects = 0, max_join_size = 1']),
      )
      configure(dataSource)

      const message =
        /^A setting of the server keeps tasks from working: .*MAX_JOIN_SIZE.*npx tasks check/
      await expect(echo.enqueueMany([[1], [2]])).rejects.toThrow(message)
      expect(await check(dataSource)).toMatchObject([
        { level: 'error', message: expect.stringContaining('MAX_JOIN_SIZE') as string },
      ])
    })
  },
  { only: BOTH },
)

describeEachDatabase(
  (database) => {
    let server: Server

    beforeAll(async () => {
      server = await startServer(database.name, undefined, [
        '--log-bin=bin',
        '--binlog-format=STATEMENT',
        '--server-id=1',
        '--max-allowed-packet=1M',
      ])
    }, 120_000)
    afterAll(() => server.stop())

    it('packets of 1 MB: many rows travel in portions, and an error says why one cannot', async () => {
      const [dataSource] = await opened(
        { fresh: () => server.fresh() } as never,
        {
          type: database.name,
        } as never,
      )
      configure(dataSource)
      // Each quote is escaped three times over.
      const quotes = '"'.repeat(10_000)

      expect(await echo.enqueueMany(Array.from({ length: 60 }, () => [quotes]))).toHaveLength(60)
      await echo.enqueue('x'.repeat(900_000))
      await expect(echo.enqueue('"'.repeat(400_000))).rejects.toThrow(
        /^The arguments of task "spec.echo" are larger than a packet .*max_allowed_packet/,
      )
      expect(await dataSource.getRepository(DBTaskResult).count()).toBe(61)
    })

    it('binlog_format = STATEMENT: a worker ends with the fix, and check names it', async () => {
      const [dataSource] = await opened(
        { fresh: () => server.fresh() } as never,
        {
          type: database.name,
        } as never,
      )
      configure(dataSource)
      const result = await echo.enqueue(1)

      await expect(startWorker()).rejects.toThrow(
        /^binlog_format is STATEMENT: .*Set binlog_format = ROW/,
      )
      expect((await check(dataSource)).map(({ level, message }) => [level, message])).toEqual([
        ['error', expect.stringContaining('binlog_format') as string],
      ])
      await dataSource.query('SET GLOBAL binlog_format = ROW')
      await runUntilEmpty()
      await result.refresh()
      expect(result.status).toBe('SUCCESSFUL')
    })
  },
  { only: BOTH },
)

describeEachDatabase(
  (database) => {
    it('array_nulls = off: a worker ends with the fix, and check names it', async () => {
      const [dataSource] = await opened(database, { extra: { options: '-c array_nulls=off' } })
      configure(dataSource)
      const result = await echo.enqueue(1)

      await expect(startWorker()).rejects.toThrow(/^array_nulls is off.*Set array_nulls = on/)
      expect((await check(dataSource)).map(({ level, message }) => [level, message])).toEqual([
        ['error', expect.stringContaining('array_nulls') as string],
      ])
      await result.refresh()
      expect([result.status, result.attempts]).toEqual(['READY', 0])
    })

    it.each([
      ['default_transaction_read_only=on', 'default_transaction_read_only is on'],
      ['DateStyle=SQL', 'DateStyle is "SQL'],
    ])('%s: check says what it does', async (setting, message) => {
      const [dataSource] = await opened(database, { extra: { options: `-c ${setting}` } })

      expect(await check(dataSource)).toEqual([
        {
          level: 'warning',
          message: expect.stringContaining(message) as string,
          hint: expect.any(String) as string,
        },
      ])
    })

    it('a database of LATIN1: what it holds works, what it does not is an error for its caller alone, and a worker says so', async () => {
      const options = await database.fresh()
      const first = await new DataSource(options).initialize()
      const latin = `${String(options.database)}_latin1`
      await first.query(
        `CREATE DATABASE "${latin}" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
      )
      const [dataSource] = await opened(
        { ...database, fresh: async () => ({ ...options, database: latin }) as FreshOptions },
        {},
      )
      try {
        configure(dataSource)
        const log = catchLog()
        const result = await echo.enqueue('café')
        await expect(echo.enqueue('日本')).rejects.toThrow(
          /^The database cannot hold a character of the arguments of task "spec.echo": .*LATIN1.*ENCODING 'UTF8'/,
        )

        await runUntilEmpty()

        await result.refresh()
        expect(result.returnValue).toBe('café')
        expect(log).toContainEqual(['warn', expect.stringContaining('encoding is LATIN1')])
      } finally {
        await Promise.all(open.splice(0).map((each) => each.destroy()))
        await first.query(`DROP DATABASE "${latin}"`)
        await first.destroy()
      }
    })
  },
  { only: ['postgres'] },
)

const open: DataSource[] = []

afterEach(async () => {
  for (const each of open.splice(0)) if (each.isInitialized) await each.destroy()
})

/** A DataSource on a fresh table with these options, and one without them. */
async function opened(
  { fresh }: SpecDatabase,
  options: Partial<DataSourceOptions>,
): Promise<[DataSource, DataSource]> {
  const base = { ...(await fresh()), entities: [DBTaskResult] }
  const { type = base.type } = options as { type?: string }
  const plain = new DataSource({ ...base, type, synchronize: true } as DataSourceOptions)
  const dataSource = new DataSource({ ...base, ...options } as DataSourceOptions)
  open.push(plain, dataSource)
  await plain.initialize()
  return [await dataSource.initialize(), plain]
}

function configure(dataSource: DataSource): void {
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
}

function check(dataSource: DataSource): Promise<Problem[]> {
  return new DatabaseBackend('default', { queues: [], options: { dataSource } }).check()
}
