import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty } from 'typeorm-tasks'
import { v1 as uuidv1, v4 as uuidv4 } from 'uuid'
import { DatabaseBackend, setDefaultDataSource } from '#backends/database'
import { DataSourceError, InvalidSettingsError, NotSupportedError } from '#errors'
import { encodeArguments, MAX_JSON_BYTES } from '#json'
import { startWorker } from '#start-worker'
import { databases, describeEachDatabase } from '../support/databases'
import { add, catchLog, contextual, echo } from '../support/tasks'

const configure = (OPTIONS: object): void =>
  void configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS } })

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
  })
  beforeEach(() => {
    catchLog()
    configure({ dataSource })
  })
  afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

  it('gives ids that sort by time, so that the newest row is the last', async () => {
    const ids: string[] = []
    for (let i = 0; i < 20; i++) ids.push((await add.enqueue(i)).id)

    expect(ids).toEqual(ids.toSorted((a, b) => (a < b ? -1 : 1)))
    const found = await dataSource
      .getRepository(DBTaskResult)
      .find({ order: { id: 'DESC' }, take: 1 })
    expect(found[0]!.id).toBe(ids.at(-1))
  })

  it.each([
    ['version 1', uuidv1],
    ['version 4', uuidv4],
    ['version 4 in capitals', () => uuidv4().toUpperCase()],
  ])('takes ids of %s from idFunction', async (_, idFunction) => {
    const made: string[] = []
    configure({ dataSource, idFunction: () => (made.push(idFunction()), made.at(-1)!) })

    const result = await add.enqueue(1)
    await runUntilEmpty()

    expect(result.id).toBe(made[0]!.toLowerCase())
    expect((await result.refresh()).returnValue).toBe(11)
  })

  it.each([
    ['no UUID', 'job-1', "'job-1'"],
    ['nothing', undefined, 'undefined'],
    ['a number', 7, '7'],
  ])('refuses an idFunction that gives %s', async (_, given, shown) => {
    configure({ dataSource, idFunction: () => given })

    await expect(add.enqueue(1)).rejects.toThrow(
      `TASKS.default.OPTIONS.idFunction: expected it to give a UUID, got ${shown}.`,
    )
    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
  })

  it('takes a DataSource from a function, also one that answers late', async () => {
    configure({ dataSource: async () => dataSource })

    expect((await add.enqueue(1)).status).toBe('READY')
  })

  it('shows the row behind a result, as the repository gives it', async () => {
    const result = await add.using({ uniqueKey: 'key', priority: 3 }).enqueue(1)

    expect(result.dbResult).toBeInstanceOf(DBTaskResult)
    expect(result.dbResult).toEqual(
      await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: result.id }),
    )
  })

  it('keeps the last progress that a task reported', async () => {
    const result = await contextual.enqueue('half')
    const { finished } = await startWorker({ batch: true })
    await finished

    expect((await result.refresh()).progress).toEqual({ done: 1, total: 2, note: 'half' })
  })

  it('carries the largest arguments that it allows, and refuses larger ones with their size', async () => {
    // Quotes and backslashes, since each escaping on the way doubles them.
    const most = '"\\'.repeat((MAX_JSON_BYTES - 4) / 4)
    expect(Buffer.byteLength(JSON.stringify([most]))).toBe(MAX_JSON_BYTES)

    const result = await echo.enqueue(most)
    await runUntilEmpty()

    expect(
      (await result.refresh()).status === 'FAILED' ? result.errors : result.returnValue === most,
    ).toBe(true)
    await expect(echo.enqueue('x'.repeat(20 * 1024 * 1024))).rejects.toThrow(
      `args is ${20 * 1024 * 1024 + 4} bytes of JSON; the limit is ${MAX_JSON_BYTES}.`,
    )
  })

  it('says so when the table is missing, or lacks a column', async () => {
    const bare = await database.connect({ entities: [DBTaskResult] })
    configure({ dataSource: bare })
    await expect(add.enqueue(1)).rejects.toThrow(
      `The table "db_task_result" does not exist. Apply the app's migrations: \`npx typeorm migration:run -d <data source file>\`; if none of them makes it, run \`npx tasks makemigrations\` first.`,
    )
    await expect(startWorker()).rejects.toThrow('The table "db_task_result" does not exist.')

    await bare.synchronize()
    await bare.query('ALTER TABLE db_task_result DROP COLUMN progress')
    await expect(add.enqueue(1)).rejects.toThrow(
      /^The table "db_task_result" lacks a column: .*progress/,
    )
    await expect(startWorker()).rejects.toThrow(/lacks.*progress/)
  })
})

describe('a DataSource that does not serve', () => {
  const [database] = databases()

  it('is missing', async () => {
    configure({})
    setDefaultDataSource(undefined)

    await expect(add.enqueue(1)).rejects.toThrow(DataSourceError)
    await expect(add.enqueue(1)).rejects.toThrow(
      'TASKS.default.OPTIONS has no dataSource. Add it: OPTIONS: { dataSource }.',
    )
  })

  it('is not initialised', async () => {
    const dataSource = new DataSource({ ...(await database!.fresh()), entities: [DBTaskResult] })
    configure({ dataSource })

    await expect(add.enqueue(1)).rejects.toThrow(
      'The DataSource of TASKS is not initialised. Call `await dataSource.initialize()`',
    )
    await expect(add.getResult('01900000-0000-7000-8000-000000000000')).rejects.toThrow(
      'is not initialised',
    )
    await expect(startWorker()).rejects.toThrow('is not initialised')
  })

  it('does not know the entity', async () => {
    configure({ dataSource: await database!.connect() })

    await expect(add.enqueue(1)).rejects.toThrow(
      'The DataSource of TASKS does not know the entity DBTaskResult. Add it',
    )
  })

  it('is none', async () => {
    configure({ dataSource: { type: 'postgres' } })

    await expect(add.enqueue(1)).rejects.toThrow(
      'TASKS.default.OPTIONS.dataSource: expected a DataSource, got an object (Object). Pass `new DataSource({ … })`.',
    )
  })

  it('is a promise of one, or made by a function that does not return it', async () => {
    const dataSource = await database!.connect({ entities: [DBTaskResult] })
    const message = 'TASKS.default.OPTIONS.dataSource: expected a DataSource, got'

    configure({ dataSource: Promise.resolve(dataSource) })
    await expect(add.enqueue(1)).rejects.toThrow(
      `${message} an object (Promise). Pass what it resolves to (await it), or a function that returns the promise.`,
    )
    configure({ dataSource: () => () => dataSource })
    await expect(add.enqueue(1)).rejects.toThrow(
      `${message} a function from the function. Let the function return the DataSource, or a promise of it.`,
    )
    configure({ dataSource: function make() {} })
    await expect(add.enqueue(1)).rejects.toThrow(`${message} undefined from the function.`)
  })
})

const badOptions: [object, string][] = [
  [
    { leaseSecond: 3 },
    'TASKS.default.OPTIONS: unknown key "leaseSecond". Did you mean "leaseSeconds"?',
  ],
  [
    { leaseSeconds: 0 },
    'TASKS.default.OPTIONS.leaseSeconds: expected a whole number of seconds from 1 to 86400, got 0.',
  ],
  [
    { leaseSeconds: '30' },
    "TASKS.default.OPTIONS.leaseSeconds: expected a whole number of seconds from 1 to 86400, got '30'.",
  ],
  [
    { leaseSeconds: 1.5 },
    'TASKS.default.OPTIONS.leaseSeconds: expected a whole number of seconds from 1 to 86400, got 1.5.',
  ],
  [
    { maxCrashes: -1 },
    'TASKS.default.OPTIONS.maxCrashes: expected a whole number from 1 to 1000, got -1.',
  ],
  [
    { idFunction: 'uuid.v4' },
    "TASKS.default.OPTIONS.idFunction: expected a function that gives a UUID, got 'uuid.v4'.",
  ],
]
it.each(badOptions)('refuses the options %j', (options, told) => {
  expect(() => configure(options)).toThrow(InvalidSettingsError)
  expect(() => configure(options)).toThrow(told)
})

it('has no worker for a backend that does not store', async () => {
  configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/dummy#DummyBackend' } })

  await expect(startWorker()).rejects.toThrow(NotSupportedError)
  await expect(startWorker()).rejects.toThrow(
    'DummyBackend (TASKS.default) cannot be served by a worker. Use the Database backend for that.',
  )
})

it('writes the arguments as Django does', () => {
  expect(encodeArguments([1, undefined], { a: null }, 'a.b')).toBe(
    '{"args": [1], "kwargs": {"a":null}}',
  )
})
