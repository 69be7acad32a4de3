import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks } from 'typeorm-tasks'
import { planMigration } from '#plan'
import { DBTaskResult, dbTaskResultSchema } from '#entities'
import { DJANGO_TABLE, djangoDdl } from '../support/django-ddl'
import { djangoRow, readyRow } from '../support/row-values'
import { schemaOf } from '../support/schemas'
import { add } from '../support/tasks'
import {
  databases,
  describeEachDatabase,
  hasHexIds,
  isMySqlFamily,
  typesOf,
  type SpecDatabase,
} from '../support/databases'

const onDjangosTable = dbTaskResultSchema({ tableName: DJANGO_TABLE, managed: false })

/** A row as Django writes it, and as we must read it. */
const written = {
  id: '12b1fa73-26ca-4a79-a003-f1bd80c147b1',
  status: 'SUCCESSFUL',
  args_kwargs: '{"args": ["Ann"], "kwargs": {"greeting": "\\ud83d\\ude00"}}',
  priority: 5,
  task_path: 'myapp.tasks.greet',
  queue_name: 'mail',
  backend_name: 'default',
  run_after: '9999-01-01 00:00:00',
  enqueued_at: '2026-11-20 23:59:59.941165',
  started_at: '2026-11-21 00:00:01',
  finished_at: '2026-11-21 00:00:01.226680',
  return_value: '"123"',
  exception_class_path: '',
  traceback: '',
  worker_ids: '["sample-worker"]',
}

const read = {
  id: written.id,
  status: 'SUCCESSFUL',
  argsKwargs: { args: ['Ann'], kwargs: { greeting: '😀' } },
  priority: 5,
  taskPath: 'myapp.tasks.greet',
  queueName: 'mail',
  backendName: 'default',
  runAfter: new Date('9999-01-01T00:00:00Z'),
  enqueuedAt: new Date('2026-11-20T23:59:59.941Z'),
  startedAt: new Date('2026-11-21T00:00:01Z'),
  finishedAt: new Date('2026-11-21T00:00:01.226Z'),
  returnValue: '123',
  exceptionClassPath: '',
  traceback: '',
  workerIds: ['sample-worker'],
}

describeEachDatabase((database) => {
  const types = typesOf(database.name)

  describe.each(types)('a table that Django made, under the type %s', (type) => {
    let dataSource: DataSource
    beforeAll(async () => {
      dataSource = await database.connect({ entities: [onDjangosTable] }, type ? { type } : {})
      for (const sql of djangoDdl[database.name]) await dataSource.query(sql)
    })

    test('gets our columns, and the index it lacks, and loses nothing of its own', async () => {
      const before = await schemaOf(dataSource)
      const { up, down } = await planMigration(dataSource)
      expect(up.filter((sql) => sql.includes(' ADD '))).toHaveLength(7)
      expect(
        up.filter((sql) => sql.includes('INDEX')).map((sql) => /INDEX .(\w+)/.exec(sql)![1]),
      ).toEqual(
        database.name === 'mariadb'
          ? [`${DJANGO_TABLE}_ready_idx`, `${DJANGO_TABLE}_unique_key_idx`]
          : [`${DJANGO_TABLE}_unique_key_idx`],
      )
      for (const sql of [...up, ...down]) await dataSource.query(sql)
      expect(await schemaOf(dataSource)).toEqual(before)
      for (const sql of up) await dataSource.query(sql)
      expect(await planMigration(dataSource)).toMatchObject({ up: [], down: [] })
    })

    test("is left alone by the app's own synchronize()", async () => {
      const before = await schemaOf(dataSource)
      await dataSource.synchronize()
      expect(await schemaOf(dataSource)).toEqual(before)
    })

    test('a row that Django wrote, without our columns, is read', async () => {
      await insert(dataSource, database, written)
      expect(
        await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: written.id }),
      ).toMatchObject({ ...read, claims: 0, leaseUntil: null, uniqueKey: null })
    })

    test('what we write is to the letter what Django writes', async () => {
      const row = djangoRow()
      await dataSource.getRepository(DBTaskResult).save({
        ...row,
        enqueuedAt: new Date('2026-07-01T10:00:00Z'),
        startedAt: new Date('2026-07-01T10:00:00.5Z'),
        returnValue: { a: [1] },
      })
      expect(await raw(dataSource, database, row.id)).toEqual({
        id: hasHexIds(database.name) ? row.id.replaceAll('-', '') : row.id,
        run_after: `9999-01-01 00:00:00${isMySqlFamily(database.name) ? '.000000' : ''}`,
        enqueued_at: `2026-07-01 10:00:00${isMySqlFamily(database.name) ? '.000000' : ''}`,
        started_at: '2026-07-01 10:00:00.500000',
        finished_at: null,
        args_kwargs: { args: [], kwargs: {} },
        return_value: { a: [1] },
        worker_ids: [],
        exception_class_path: '',
        traceback: '',
      })
    })

    test('keeps a missing return value as SQL NULL', async () => {
      await dataSource.getRepository(DBTaskResult).save(djangoRow())
      const [row] = (await dataSource.query(
        `SELECT COUNT(*) AS n FROM ${DJANGO_TABLE} WHERE return_value IS NULL`,
      )) as { n: unknown }[]
      expect(Number(row!.n)).toBe(1)
    })
  })

  test('the table may have another name, of which its indexes take theirs', async () => {
    const dataSource = await database.connect({
      entities: [dbTaskResultSchema({ tableName: 'jobs' })],
      synchronize: true,
    })
    const row = readyRow({ returnValue: 'x' })
    await dataSource.getRepository(DBTaskResult).save(row)
    expect(await dataSource.getRepository(DBTaskResult).find()).toEqual([row])
    const runner = dataSource.createQueryRunner()
    const table = await runner.getTable('jobs')
    await runner.release()
    expect(new Set(table!.indices.map(({ name }) => name))).toEqual(
      new Set(['jobs_ready_idx', 'jobs_unique_key_idx']),
    )
    expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([])
  })

  test("Django's table that is missing, or too old, is said to be", async () => {
    const dataSource = await database.connect({ entities: [onDjangosTable] })
    await expect(planMigration(dataSource)).rejects.toThrow(
      /table .*django_tasks_database_dbtaskresult does not exist.*manage\.py migrate/,
    )
    await dataSource.query(
      djangoDdl[database.name]
        [0]!.replace('worker_ids', 'workers')
        .replaceAll(/.worker_ids./g, (name) => name.replace('worker_ids', 'workers')),
    )
    await expect(planMigration(dataSource)).rejects.toThrow(
      /has no column worker_ids\..*manage\.py migrate/,
    )
  })
})

describeEachDatabase(
  (database) => {
    test('JSON that Django wrote is read alike when the driver leaves it as text', async () => {
      const dataSource = new DataSource({
        ...(await database.fresh()),
        entities: [onDjangosTable],
        extra: { jsonStrings: true },
      } as DataSourceOptions)
      await dataSource.initialize()
      try {
        for (const sql of djangoDdl.mariadb) await dataSource.query(sql)
        for (const sql of (await planMigration(dataSource)).up) await dataSource.query(sql)
        await insert(dataSource, database, written)
        expect(
          await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: written.id }),
        ).toMatchObject(read)
      } finally {
        await dataSource.destroy()
      }
    })

    test('a server without a uuid type, as MySQL is, gets ids of 32 hex digits', async () => {
      const dataSource = new DataSource({
        ...(await database.fresh({ type: 'mysql' })),
        entities: [DBTaskResult],
      } as DataSourceOptions)
      const connect = dataSource.driver.connect.bind(dataSource.driver)
      dataSource.driver.connect = async () => {
        await connect()
        dataSource.driver.version = '8.4.0'
      }
      await dataSource.initialize()
      try {
        await dataSource.synchronize()
        const row = readyRow()
        await dataSource.getRepository(DBTaskResult).save(row)
        expect(await dataSource.getRepository(DBTaskResult).findBy({ id: row.id })).toEqual([row])
        expect(await dataSource.query('SELECT id FROM db_task_result')).toEqual([
          { id: row.id.replaceAll('-', '') },
        ])
        const differences = (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(
          ({ query }) => query,
        )
        expect(
          differences.filter((sql) => !/ DEFAULT NULL$| NULL$/.test(sql) || sql.includes('`id`')),
        ).toEqual([]) // MariaDB's name for no default
      } finally {
        await dataSource.destroy()
      }
    })
  },
  { only: ['mariadb'] },
)

test('DataSources of different types, opened at once, each get their own types', async () => {
  const options = await Promise.all(databases().map((database) => database.fresh()))
  const opened = options.map(
    (each) => new DataSource({ ...each, entities: [DBTaskResult] } as DataSourceOptions),
  )
  await Promise.all(opened.map((dataSource) => dataSource.initialize()))
  try {
    const types = opened.map((dataSource) => [
      dataSource.options.type,
      dataSource.driver.normalizeType(
        dataSource.getMetadata(DBTaskResult).findColumnWithPropertyName('argsKwargs')!,
      ),
    ])
    const expected = {
      'better-sqlite3': 'text',
      postgres: 'jsonb',
      mariadb: 'longtext',
      mysql: 'longtext',
    }
    expect(types).toEqual(
      opened.map(({ options: { type } }) => [type, expected[type as 'mariadb']]),
    )
  } finally {
    await Promise.all(opened.map((dataSource) => dataSource.destroy()))
  }
})

describe('a DataSource of another copy of TypeORM', () => {
  function strange(): DataSource {
    let Stranger: typeof DataSource | undefined
    jest.isolateModules(() => {
      Stranger = jest.requireActual<{ DataSource: typeof DataSource }>('typeorm').DataSource
    })
    return new Stranger!({
      type: 'better-sqlite3',
      database: ':memory:',
      entities: [DBTaskResult],
      synchronize: true,
    })
  }

  test('is told what to do', async () => {
    await expect(strange().initialize()).rejects.toThrow(
      /another copy of typeorm than typeorm-tasks uses: .*configureTasks.*DBTaskResult/,
    )
  })

  test('serves once it is in TASKS', async () => {
    const dataSource = strange()
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
    await dataSource.initialize()

    await add.enqueue(1, 2)

    expect(await dataSource.getRepository(DBTaskResult).find()).toMatchObject([
      { taskPath: 'spec.add', argsKwargs: { args: [1, 2] } },
    ])
  })
})

async function insert(
  dataSource: DataSource,
  { name }: SpecDatabase,
  row: typeof written,
): Promise<void> {
  const values = { ...row, id: hasHexIds(name) ? row.id.replaceAll('-', '') : row.id }
  if (name === 'postgres')
    for (const key of ['run_after', 'enqueued_at', 'started_at', 'finished_at'] as const)
      values[key] += '+00'
  const marks = Object.keys(values).map((_, index) => (name === 'postgres' ? `$${index + 1}` : '?'))
  await dataSource.query(
    `INSERT INTO ${DJANGO_TABLE} (${Object.keys(values).join(', ')}) VALUES (${marks.join(', ')})`,
    Object.values(values),
  )
}

/** What the database holds, times as text. */
async function raw(
  dataSource: DataSource,
  { name }: SpecDatabase,
  id: string,
): Promise<Record<string, unknown>> {
  const text = (column: string): string => {
    if (name === 'sqlite') return column
    if (isMySqlFamily(name)) return `CAST(${column} AS CHAR) AS ${column}`
    return `regexp_replace(to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '\\.000000$', '') AS ${column}`
  }
  const columns = ['run_after', 'enqueued_at', 'started_at', 'finished_at'].map(text).join(', ')
  const [row] = (await dataSource.query(
    `SELECT id, args_kwargs, return_value, worker_ids, exception_class_path, traceback, ${columns} FROM ${DJANGO_TABLE} WHERE id = '${hasHexIds(name) ? id.replaceAll('-', '') : id}'`,
  )) as Record<string, unknown>[]
  for (const key of ['args_kwargs', 'return_value', 'worker_ids'])
    if (typeof row![key] === 'string') row![key] = JSON.parse(row![key])
  return row!
}
