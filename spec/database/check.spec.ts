import { DataSource } from 'typeorm'
import {
  configureTasks,
  DatabaseError,
  DataSourceError,
  DBTaskResult,
  dbTaskResultSchema,
  type Problem,
  startWorker,
} from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import type { Product } from '#profile'
import { profileOf } from '#profile-of'
import { tooOld } from '#server'
import { describeEachDatabase, isMySqlFamily, type FreshOptions } from '../support/databases'
import { startServer } from '../support/servers/start'
import { catchLog, echo } from '../support/tasks'

const migrate =
  "Apply the app's migrations: `npx typeorm migration:run -d <data source file>`; if none of them makes it, run `npx tasks makemigrations` first."

describeEachDatabase((database) => {
  it('finds nothing on a table as the library makes it', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    expect(await check(dataSource)).toEqual([])
  })

  it('names backends of waiting rows that TASKS does not have, and no others', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const settings = { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } }
    configureTasks({ default: settings, mail: settings, old: settings })
    for (const backend of ['default', 'mail', 'old']) await echo.using({ backend }).enqueue(1)
    configureTasks({ default: settings, mail: settings })
    expect(await check(dataSource)).toEqual([
      {
        level: 'warning',
        message:
          'Tasks wait in the table "db_task_result" for backends that TASKS does not have: old.',
        hint: expect.stringContaining('db_worker --backend') as string,
      },
    ])
  })

  it('says that the DataSource is not initialised', async () => {
    const dataSource = new DataSource({ ...(await database.fresh()), entities: [DBTaskResult] })
    expect(await check(dataSource)).toEqual([
      {
        level: 'error',
        message: 'The DataSource of TASKS is not initialised.',
        hint: expect.stringContaining(
          'Call `await dataSource.initialize()` before tasks are used.',
        ) as string,
      },
    ])
    await expect(start(dataSource)).rejects.toThrow(DataSourceError)
  })

  it('says that the entity is missing, and the line that adds it', async () => {
    const dataSource = await database.connect()
    expect(await check(dataSource)).toEqual([
      {
        level: 'error',
        message: 'The DataSource of TASKS does not know the entity DBTaskResult.',
        hint: 'Add it: `entities: [DBTaskResult, …]`, with DBTaskResult from "typeorm-tasks".',
      },
    ])
  })

  it('F65 says that the table is missing, and no worker starts', async () => {
    const dataSource = await database.connect({
      entities: [dbTaskResultSchema({ tableName: 'jobs' })],
    })
    expect(await check(dataSource)).toEqual([
      { level: 'error', message: 'The table "jobs" does not exist.', hint: migrate },
    ])
    await expect(start(dataSource)).rejects.toMatchObject({
      name: 'DataSourceError',
      message: `The table "jobs" does not exist. ${migrate}`,
    })
  })

  it("F65 names the columns that a table lacks, such as one of Django's, and no worker starts", async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    await dataSource.query('ALTER TABLE db_task_result DROP COLUMN lease_until')
    expect(await check(dataSource)).toEqual([
      {
        level: 'error',
        message: 'The table "db_task_result" lacks the column "lease_until".',
        hint: migrate,
      },
    ])
    await expect(start(dataSource)).rejects.toThrow(
      /^The table "db_task_result" lacks a column: .*lease_until.* run `npx tasks makemigrations`/,
    )

    await dataSource.query('ALTER TABLE db_task_result DROP COLUMN progress')
    expect((await check(dataSource)).map(({ message }) => message)).toEqual([
      'The table "db_task_result" lacks the columns "lease_until", "progress".',
    ])
  })

  it('F65 warns of the indexes that are missing', async () => {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const on = isMySqlFamily(database.name) ? ' ON db_task_result' : ''
    await dataSource.query(`DROP INDEX db_task_result_ready_idx${on}`)
    await dataSource.query(`DROP INDEX db_task_result_unique_key_idx${on}`)
    expect(await check(dataSource)).toEqual([
      {
        level: 'warning',
        message:
          'The table "db_task_result" lacks the index on status, priority, run_after, enqueued_at: every claim reads and sorts all that wait.',
        hint: migrate,
      },
      {
        level: 'warning',
        message:
          'The table "db_task_result" lacks the unique index on unique_key: a uniqueKey keeps no second task out.',
        hint: migrate,
      },
    ])

    await dataSource.query(
      'CREATE INDEX mine ON db_task_result (status, priority, run_after, enqueued_at)',
    )
    await dataSource.query('CREATE UNIQUE INDEX my_key ON db_task_result (unique_key)')
    expect(await check(dataSource)).toEqual([])
  })

  it("warns when the database's clock is not this machine's", async () => {
    if (database.name === 'sqlite') return // its clock is this machine's
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    expect(await atAnotherTime(60_000, () => check(dataSource))).toEqual([
      {
        level: 'warning',
        message: "The database's clock is 60 s behind this machine's.",
        hint: expect.stringContaining('NTP') as string,
      },
    ])
    expect((await atAnotherTime(-60_000, () => check(dataSource)))[0]!.message).toBe(
      "The database's clock is 60 s ahead of this machine's.",
    )
    expect(await atAnotherTime(3_000, () => check(dataSource))).toEqual([])
  })

  it('says that the database cannot be reached, and no worker starts', async () => {
    if (database.name === 'sqlite') return
    const server = await startServer(database.name)
    try {
      const dataSource = await new DataSource({
        ...(await database.fresh()),
        ...(await server.fresh()),
        entities: [DBTaskResult],
        synchronize: true,
      } as FreshOptions).initialize()
      expect(await check(dataSource)).toEqual([])
      await server.kill()
      for (const times of [1, 2]) {
        expect([times, await check(dataSource)]).toEqual([
          times,
          [
            {
              level: 'error',
              message: expect.stringMatching(/^The database \(\w+\) cannot be reached: /) as string,
              hint: expect.stringContaining('Is it running') as string,
            },
          ],
        ])
      }
      catchLog()
      await expect(start(dataSource)).rejects.toThrow(DatabaseError)
      await dataSource.destroy().catch(() => {})
    } finally {
      await server.stop()
    }
  }, 60_000)
})

describeEachDatabase(
  (database) => {
    it('says that an encoding other than UTF-8 does not do', async () => {
      const options = await database.fresh()
      const first = await new DataSource(options).initialize()
      const latin = `${String(options.database)}_latin1`
      await first.query(
        `CREATE DATABASE "${latin}" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
      )
      const dataSource = await new DataSource({
        ...options,
        database: latin,
        entities: [DBTaskResult],
        synchronize: true,
      } as FreshOptions).initialize()
      try {
        expect(await check(dataSource)).toEqual([
          {
            level: 'error',
            message:
              "The database's encoding is LATIN1, which cannot hold every argument and error text.",
            hint: "Make a database with ENCODING 'UTF8' and move the data.",
          },
        ])
      } finally {
        await dataSource.destroy()
        await first.query(`DROP DATABASE "${latin}"`)
        await first.destroy()
      }
    })

    it('finds table and indexes in the schema of the DataSource', async () => {
      const dataSource = await new DataSource({
        ...(await database.fresh()),
        schema: 'jobs',
        entities: [DBTaskResult],
      } as FreshOptions).initialize()
      try {
        await dataSource.query('CREATE SCHEMA jobs')
        expect((await check(dataSource)).map(({ message }) => message)).toEqual([
          'The table "db_task_result" does not exist.',
        ])
        await dataSource.synchronize()
        expect(await check(dataSource)).toEqual([])
      } finally {
        await dataSource.destroy()
      }
    })
  },
  { only: ['postgres'] },
)

it('says that no DataSource was given', async () => {
  const backend = new DatabaseBackend('default', { queues: [], options: {} })
  expect(await backend.check()).toEqual([
    {
      level: 'error',
      message: 'TASKS.default.OPTIONS has no dataSource.',
      hint: 'Add it: OPTIONS: { dataSource }.',
    },
  ])
})

it.each([
  ['postgres', 'PostgreSQL', '12.22 (Debian 12.22-1)', '13'],
  ['mysql', 'MySQL', '8.0.3-rc-log', '8.0.4'],
  ['mariadb', 'MySQL', '5.7.44', '8.0.4'],
  ['mysql', 'MariaDB', '10.5.28-MariaDB', '10.6'],
  ['better-sqlite3', 'SQLite', '3.34.1', '3.35'],
])('under the type %s, %s %s is too old', (type, name, version, oldest) => {
  expect(tooOld(productOf(type, version), version)).toEqual({
    level: 'error',
    message: `${name} ${version} is too old: tasks need ${name} ${oldest} or later.`,
    hint: `Move the database to ${name} ${oldest} or later.`,
  })
})

it.each([
  ['postgres', '13.0'],
  ['postgres', '18.4'],
  ['mysql', '8.0.4'],
  ['mysql', '8.1.0'],
  ['mysql', '9.0.0'],
  ['mariadb', '10.6.0-MariaDB'],
  ['mysql', '11.4.2-MariaDB'],
  ['better-sqlite3', '3.35.0'],
  ['better-sqlite3', '3.53.2'],
])('under the type %s, version %s is new enough', (type, version) => {
  expect(tooOld(productOf(type, version), version)).toBeUndefined()
})

function productOf(type: string, version: string): Product {
  return profileOf(type).server!.productOf(version)
}

function check(dataSource: DataSource): Promise<Problem[]> {
  return new DatabaseBackend('default', { queues: [], options: { dataSource } }).check()
}

function start(dataSource: DataSource): Promise<unknown> {
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  return startWorker()
}

/** Moves the wall clock of this process alone; timers and intervals go on as they are. */
async function atAnotherTime<T>(ahead: number, work: () => Promise<T>): Promise<T> {
  jest.useFakeTimers({
    now: Date.now() + ahead,
    advanceTimers: false,
    doNotFake: [
      'hrtime',
      'nextTick',
      'performance',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  })
  try {
    return await work()
  } finally {
    jest.useRealTimers()
  }
}
