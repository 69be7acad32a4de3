import { createConnection } from 'mysql2/promise'
import type { Client } from 'pg'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult, InvalidTaskError, managerOn, task } from 'typeorm-tasks'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { clientOn, configure, type Foreign } from '../support/foreign-clients'

const note = task('spec.note', async (text: string) => text)

/** A text that is SQL where its quote ends it, and one that character sets lose. */
const HOSTILE = `it's \\' "Grüße" 日本 😀 ', 0, 0x61646d696e) -- `

type MysqlOptions = Extract<FreshOptions, { type: 'mariadb' | 'mysql' }>

const textsOf = async (dataSource: DataSource): Promise<unknown[]> =>
  (await dataSource.getRepository(DBTaskResult).find()).map(({ argsKwargs }) => argsKwargs.args[0])

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let foreign: Foreign
    let options: object

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configure(dataSource)
      // What is checked at the first enqueue of the DataSource must be checked of each client too.
      await note.enqueue('first')
      const { host, port, username, password, database: name } = dataSource.options as MysqlOptions
      options = { host, port, user: username, password, database: name }
    })
    beforeEach(async () => {
      foreign = await clientOn(dataSource.options as FreshOptions)
      await dataSource.getRepository(DBTaskResult).clear()
    })
    afterEach(() => foreign.end())

    it.each([
      ['SET NAMES latin1', 'character_set_client is latin1'],
      ['SET NAMES utf8mb3', 'character_set_client is utf8'],
      ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", 'sql_mode has NO_BACKSLASH_ESCAPES'],
      ['SET sql_select_limit = 0', 'sql_select_limit is 0'],
    ])('%s on the client: it is refused, and the error names the client', async (sql, wrong) => {
      await foreign.run(sql)
      await foreign.run('BEGIN')
      const attempt = note
        .using({ manager: managerOn(dataSource, foreign.client) })
        .enqueue(HOSTILE)
      await expect(attempt).rejects.toThrow(InvalidTaskError)
      await expect(attempt).rejects.toThrow(`managerOn: in the session of the client ${wrong}`)
      await foreign.run('COMMIT')

      expect(await textsOf(dataSource)).toEqual([])
    })

    it('what the session is set to later changes no text, and no place', async () => {
      const other = await database.connect({ entities: [DBTaskResult], synchronize: true })
      await foreign.run('BEGIN')
      const joined = note.using({ manager: managerOn(dataSource, foreign.client) })
      await joined.enqueue('before')
      await foreign.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
      await foreign.run('SET NAMES latin1')
      await foreign.run(`USE ${String(other.options.database)}`)
      await joined.enqueue(HOSTILE)
      await joined.enqueueMany([[HOSTILE], ['plain']])
      await joined.using({ uniqueKey: "the one's" }).enqueue(HOSTILE)
      await foreign.run('COMMIT')

      const texts = ['before', 'plain', HOSTILE, HOSTILE, HOSTILE]
      expect((await textsOf(dataSource)).map(String).toSorted()).toEqual(texts.toSorted())
      const rows = await dataSource.getRepository(DBTaskResult).find()
      expect(new Set(rows.map(({ taskPath }) => taskPath))).toEqual(new Set(['spec.note']))
      expect(await other.getRepository(DBTaskResult).count()).toBe(0)
    })

    it("a session of the app's own that is set so later keeps the text", async () => {
      await dataSource.transaction(async (manager) => {
        const [{ mode }] = await manager.query<[{ mode: string }]>('SELECT @@sql_mode AS mode')
        await manager.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
        await note.using({ manager }).enqueue(HOSTILE)
        await manager.query('SET sql_mode = ?', [mode])
      })

      expect(await textsOf(dataSource)).toEqual([HOSTILE])
    })

    it('a client whose options give answers another form is accepted', async () => {
      for (const form of [
        { rowsAsArray: true },
        { nestTables: true },
        { typeCast: false },
        { namedPlaceholders: true },
      ]) {
        const client = await createConnection({ ...options, ...form })
        await client.beginTransaction()
        await note.using({ manager: managerOn(dataSource, client) }).enqueue(HOSTILE)
        await client.commit()
        await client.end()
      }

      expect(await textsOf(dataSource)).toEqual([HOSTILE, HOSTILE, HOSTILE, HOSTILE])
    })
  },
  { only: ['mariadb', 'mysql'] },
)

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let client: Client

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configure(dataSource)
      await dataSource.query('CREATE SCHEMA sp')
      await dataSource.query('CREATE TABLE sp.db_task_result (LIKE public.db_task_result)')
      const foreign = await clientOn(dataSource.options as FreshOptions)
      client = foreign.client as Client
    })
    beforeEach(() => client.query('BEGIN'))
    afterEach(async () => {
      await client.query('ROLLBACK')
      await client.query('RESET ALL')
    })
    afterAll(() => client.end())

    it.each([
      [
        'SET search_path = sp',
        "the client finds the tasks table in the schema 'sp', the DataSource of TASKS in the schema 'public'",
      ],
      [
        'SET search_path = pg_temp',
        'the client finds the tasks table in no schema of its search_path',
      ],
      ["SET client_encoding = 'LATIN1'", 'in the session of the client client_encoding is LATIN1'],
    ])('%s: the client is refused', async (sql, wrong) => {
      await client.query(sql)
      const attempt = note.using({ manager: managerOn(dataSource, client) }).enqueue('lost')
      await expect(attempt).rejects.toThrow(InvalidTaskError)
      await expect(attempt).rejects.toThrow(`managerOn: ${wrong}`)
    })

    it('a search_path that is set later leads to no other table', async () => {
      const joined = note.using({ manager: managerOn(dataSource, client) })
      await joined.enqueue('one')
      await client.query('SET search_path = sp')
      await joined.enqueueMany([['two'], ['three']])
      await client.query('COMMIT')

      expect((await textsOf(dataSource)).map(String).toSorted()).toEqual(['one', 'three', 'two'])
    })

    it('a table in a later schema of the same search_path is found', async () => {
      const extra = { options: '-c search_path=sp2,sp,public' }
      await dataSource.query('CREATE SCHEMA IF NOT EXISTS sp2')
      const own = new DataSource({
        ...dataSource.options,
        synchronize: false,
        extra,
      } as DataSourceOptions)
      await own.initialize()
      configure(own)
      try {
        await client.query('SET search_path = sp2, sp, public')
        await note.using({ manager: managerOn(own, client) }).enqueue('here')
        await client.query('COMMIT')
        expect(await textsOf(own)).toEqual(['here'])
      } finally {
        configure(dataSource)
        await own.destroy()
      }
    })
  },
  { only: ['postgres'] },
)
