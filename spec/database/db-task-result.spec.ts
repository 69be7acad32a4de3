import {
  DataSource,
  DefaultNamingStrategy,
  In,
  IsNull,
  LessThan,
  MoreThan,
  Not,
  type DataSourceOptions,
} from 'typeorm'
import { DBTaskResult } from '#entities'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { djangoRow, readyRow } from '../support/row-values'

const expectedTypes = {
  sqlite: {
    id: 'varchar(32)',
    status: 'varchar(10)',
    word: 'varchar(32)',
    instant: 'text',
    json: 'text',
    text: 'text',
    int: 'integer',
  },
  postgres: {
    id: 'uuid',
    status: 'character varying(10)',
    word: 'character varying(32)',
    instant: 'timestamp(6) with time zone',
    json: 'jsonb',
    text: 'text',
    int: 'integer',
  },
  mariadb: {
    id: 'uuid',
    status: 'varchar(10)',
    word: 'varchar(32)',
    instant: 'datetime(6)',
    json: 'longtext',
    text: 'longtext',
    int: 'int(11)',
  },
}

const kinds: Record<string, string[]> = {
  id: ['id'],
  status: ['status'],
  word: ['queue_name', 'backend_name'],
  instant: [
    'enqueued_at',
    'started_at',
    'finished_at',
    'run_after',
    'lease_until',
    'cancel_requested_at',
  ],
  json: ['args_kwargs', 'worker_ids', 'return_value', 'attempt_errors', 'progress', 'options'],
  text: ['task_path', 'exception_class_path', 'traceback'],
  int: ['priority', 'claims'],
}

describeEachDatabase((database) => {
  const types = database.name === 'mariadb' ? (['mariadb', 'mysql'] as const) : [undefined]

  describe.each(types)('under the type %s', (type) => {
    let dataSource: DataSource
    const rows = () => dataSource.getRepository(DBTaskResult)

    beforeAll(async () => {
      dataSource = await database.connect(
        { entities: [DBTaskResult], synchronize: true },
        type ? { type } : {},
      )
    })
    beforeEach(async () => await rows().clear())

    test('every column has the type that fits this database', async () => {
      const found = await columnTypes(dataSource, database.name)
      const expected = Object.entries(kinds).flatMap(([kind, names]) =>
        names.map((name) => [name, expectedTypes[database.name][kind as 'id']]),
      )
      expect(dataSource.getMetadata(DBTaskResult).primaryColumns[0]!.type).toBe(
        expectedTypes[database.name].id.replace(/\(.*/, ''),
      )
      expect(found).toEqual({
        ...Object.fromEntries(expected),
        unique_key: expectedTypes[database.name].word.replace('32', '128'),
      })
    })

    test('every column comes back as it was saved', async () => {
      const row = readyRow({
        status: 'RUNNING',
        enqueuedAt: new Date('2026-07-01T10:00:00.001Z'),
        startedAt: new Date('2026-07-01T10:00:01Z'),
        finishedAt: new Date('1999-12-31T23:59:59.999Z'),
        argsKwargs: {
          args: [1, 'ä😀', null, { b: [true], a: 1.5 }],
          kwargs: { to: 'o\'brien \\ "x"' },
        },
        priority: -100,
        workerIds: ['w-1', 'w-2'],
        queueName: 'Mail',
        backendName: 'B',
        runAfter: new Date('2031-01-01T00:00:00.5Z'),
        returnValue: { deep: [1] },
        exceptionClassPath: 'TypeError',
        traceback: `${'x'.repeat(70_000)}\n😀`,
        claims: 7,
        leaseUntil: new Date('2026-07-01T10:00:31.5Z'),
        cancelRequestedAt: new Date('2026-07-01T10:00:02Z'),
        uniqueKey: 'f:ü',
        attemptErrors: [{ exceptionClassPath: 'Error', traceback: 'at\n' }],
        progress: { done: 1, total: null, note: 'half' },
        options: { retry: { maxAttempts: 3 } },
      })
      await rows().save(row)
      const found = await rows().findOneByOrFail({ id: row.id })
      expect(found).toBeInstanceOf(DBTaskResult)
      expect(found).toEqual(row)
    })

    test('the columns of our own may be left out, and are empty then', async () => {
      const django = djangoRow()
      await rows().insert(django as object)
      expect(await rows().findOneByOrFail({ id: django.id })).toEqual({
        ...django,
        claims: 0,
        leaseUntil: null,
        cancelRequestedAt: null,
        uniqueKey: null,
        attemptErrors: null,
        progress: null,
        options: null,
      })
    })

    test.each([
      'hello',
      '',
      '123',
      'null',
      'true',
      '"quoted"',
      '{"a":1}',
      123,
      0,
      false,
      true,
      [],
      ['1'],
      {},
      { a: '1' },
    ])('the return value %p stays what it is, and is found by it', async (returnValue) => {
      const row = readyRow({ returnValue })
      await rows().save(row)
      await rows().save(readyRow({ returnValue: 'other' }))
      expect((await rows().findOneByOrFail({ id: row.id })).returnValue).toStrictEqual(returnValue)
      if (typeof returnValue === 'object') return // TypeORM takes objects in `where` apart
      expect(await rows().findBy({ returnValue: In([returnValue, 'nothing']) })).toEqual([row])
    })

    test('null is SQL NULL, so IsNull() finds it', async () => {
      await rows().save([readyRow(), readyRow({ returnValue: 0 })])
      expect(await rows().countBy({ returnValue: IsNull() })).toBe(1)
      expect(await rows().countBy({ returnValue: Not(IsNull()) })).toBe(1)
    })

    test('rows are found by id, in any spelling, and by instants, to the millisecond', async () => {
      const row = readyRow()
      await rows().save(row)
      expect(await rows().findBy({ id: In([row.id.toUpperCase()]) })).toEqual([row])
      expect(await rows().findBy({ enqueuedAt: row.enqueuedAt })).toEqual([row])
      expect(await rows().findBy({ enqueuedAt: LessThan(row.enqueuedAt) })).toEqual([])
      expect(
        await rows().findBy({ enqueuedAt: MoreThan(new Date(row.enqueuedAt.getTime() - 1)) }),
      ).toEqual([row])
    })

    test('saving a loaded row writes only what changed, and keeps the microseconds of the rest', async () => {
      const row = readyRow({ argsKwargs: { args: [{ b: 1, a: 2 }], kwargs: {} } })
      await rows().save(row)
      await dataSource.query(
        `UPDATE db_task_result SET enqueued_at = '2026-07-01 10:00:00.123456${database.name === 'postgres' ? 'Z' : ''}'`,
      )
      const loaded = await rows().findOneByOrFail({ id: row.id })
      await rows().save(Object.assign(loaded, { status: 'FAILED' }))
      const text =
        database.name === 'postgres'
          ? "to_char(enqueued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
          : 'CAST(enqueued_at AS CHAR)'
      const [raw] = (await dataSource.query(
        `SELECT ${text} AS at, status FROM db_task_result`,
      )) as unknown[]
      expect(raw).toEqual({ at: '2026-07-01 10:00:00.123456', status: 'FAILED' })
    })

    test('queue names, keys and states differ by case', async () => {
      await rows().save([
        readyRow({ queueName: 'Mail', uniqueKey: 'K' }),
        readyRow({ queueName: 'mail', uniqueKey: 'k' }),
      ])
      expect(await rows().countBy({ queueName: 'mail' })).toBe(1)
    })

    test('a key is given once, and any number of rows have none', async () => {
      await rows().save([readyRow(), readyRow(), readyRow({ uniqueKey: 'one' })])
      await expect(rows().insert(readyRow({ uniqueKey: 'one' }) as object)).rejects.toThrow(
        /unique|duplicate/i,
      )
    })

    test('synchronize() has nothing to do a second time', async () => {
      expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([])
    })
  })

  test('prefix, naming strategy and a default that is not UTF-8 leave columns and their names as they are', async () => {
    const options = await database.fresh()
    const dataSource = new DataSource({
      ...options,
      entities: [DBTaskResult],
      entityPrefix: 'app_',
      namingStrategy: new Shouting(),
    } as DataSourceOptions)
    await dataSource.initialize()
    try {
      if (database.name === 'mariadb')
        await dataSource.query(
          `ALTER DATABASE \`${(options as { database: string }).database}\` CHARACTER SET latin1`,
        )
      await dataSource.synchronize()
      expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([])
      const row = readyRow({ traceback: '😀', uniqueKey: '鍵' })
      await dataSource.getRepository(DBTaskResult).save(row)
      expect(await dataSource.getRepository(DBTaskResult).find()).toEqual([row])
      expect(
        await dataSource.query(
          `SELECT queue_name FROM ${dataSource.driver.escape('app_db_task_result')}`,
        ),
      ).toEqual([{ queue_name: 'default' }])
    } finally {
      await dataSource.destroy()
    }
  })

  test('what others wrote badly reads as null and harms no other row', async () => {
    if (database.name !== 'sqlite') return // the others refuse it, or keep JSON as text that was checked
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    const rows = dataSource.getRepository(DBTaskResult)
    const row = readyRow()
    await rows.save([row, readyRow()])
    await dataSource.query(
      "UPDATE db_task_result SET enqueued_at = 'soon', args_kwargs = '{bad' WHERE id = ?",
      [row.id.replaceAll('-', '')],
    )
    expect(await rows.findOneByOrFail({ id: row.id })).toMatchObject({
      enqueuedAt: null,
      argsKwargs: null,
    })
    expect(await rows.find()).toHaveLength(2)
  })

  test('a priority beyond 100 is refused where TypeORM makes checks', async () => {
    if (database.name === 'mariadb') return
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    await expect(
      dataSource.getRepository(DBTaskResult).insert(readyRow({ priority: 101 }) as object),
    ).rejects.toThrow(/priority_check|CHECK/)
  })
})

describeEachDatabase((database) => {
  if (database.name !== 'postgres') return

  test('the table and its indexes live in the schema of the DataSource', async () => {
    const options = await database.fresh()
    const dataSource = new DataSource({
      ...options,
      schema: 'jobs',
      entities: [DBTaskResult],
    } as FreshOptions)
    await dataSource.initialize()
    try {
      await dataSource.query('CREATE SCHEMA jobs')
      await dataSource.synchronize()
      const indexes = (await dataSource.query(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'jobs' ORDER BY indexname",
      )) as { indexdef: string }[]
      expect(indexes.map(({ indexdef }) => indexdef)).toEqual([
        expect.stringContaining('(id)'),
        "CREATE INDEX db_task_result_ready_idx ON jobs.db_task_result USING btree (status, priority, run_after, enqueued_at) WHERE ((status)::text = 'READY'::text)",
        'CREATE UNIQUE INDEX db_task_result_unique_key_idx ON jobs.db_task_result USING btree (unique_key) WHERE (unique_key IS NOT NULL)',
      ])
    } finally {
      await dataSource.destroy()
    }
  })
})

class Shouting extends DefaultNamingStrategy {
  override columnName(property: string, given: string): string {
    return given || property.toUpperCase()
  }
}

async function columnTypes(
  dataSource: DataSource,
  name: 'sqlite' | 'postgres' | 'mariadb',
): Promise<Record<string, string>> {
  const sql = {
    sqlite: "SELECT name, type FROM pragma_table_info('db_task_result')",
    postgres:
      "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'db_task_result'::regclass AND attnum > 0",
    mariadb:
      "SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'db_task_result'",
  }[name]
  const found = (await dataSource.query(sql)) as { name: string; type: string }[]
  return Object.fromEntries(found.map(({ name: column, type }) => [column, type.toLowerCase()]))
}
