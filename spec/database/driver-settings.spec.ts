import { setTimeout as sleep } from 'node:timers/promises'
import * as pg from 'pg'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  runUntilEmpty,
  startWorker,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { describeEachDatabase, type SpecDatabase } from '../support/databases'
import { catchLog, contextual, echo, patient } from '../support/tasks'

const flaky = task(
  'spec.flakyOnce',
  (context, text: string) => {
    if (context.attempt === 1) throw new RangeError(text)
    return text
  },
  { takesContext: true, retry: { maxAttempts: 3, delay: 0 } },
)

/** What a typeCast of mysql2 is given. */
interface Field {
  readonly type: string
  string(): string | null
  buffer(): Buffer | null
}
type TypeCast = (field: Field, next: () => unknown) => unknown

const mysqlCase = (extra: object): Case => ({ options: { extra } as Partial<DataSourceOptions> })
const cast = (typeCast: TypeCast): Case => mysqlCase({ typeCast })

interface Case {
  readonly options?: Partial<DataSourceOptions>
  /** Parsers of node-postgres by the number of the type. */
  readonly parsers?: Readonly<Record<number, (text: string) => unknown>>
}

const asBoolean = (text: string | null): unknown =>
  text === '0' || text === '1' ? text === '1' : text === null ? null : Number(text)
const asGiven = (text: string): unknown => text
/** Like the instants of Luxon, Day.js or Temporal. */
const wrapped = (text: string): unknown => ({
  toJSON: () => new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')).toISOString(),
})

const MYSQL: Readonly<Record<string, Case>> = {
  dateStrings: { options: { dateStrings: true } as Partial<DataSourceOptions> },
  'dateStrings of DATETIME': {
    options: { dateStrings: ['DATETIME'] } as Partial<DataSourceOptions>,
  },
  'supportBigNumbers, bigNumberStrings': {
    options: { supportBigNumbers: true, bigNumberStrings: true } as Partial<DataSourceOptions>,
  },
  'no supportBigNumbers': {
    options: { supportBigNumbers: false, bigNumberStrings: false } as Partial<DataSourceOptions>,
  },
  'decimalNumbers, jsonStrings': mysqlCase({ decimalNumbers: true, jsonStrings: true }),
  "timezone '+05:30'": { options: { timezone: '+05:30' } as Partial<DataSourceOptions> },
  'a typeCast that gives texts': cast((field) => field.string()),
  'the same with a timezone': {
    options: {
      timezone: 'Z',
      extra: { typeCast: (field: Field) => field.string() },
    } as Partial<DataSourceOptions>,
  },
  'a typeCast that gives bytes of texts': cast((field, next) =>
    /BLOB/.test(field.type) ? field.buffer() : next(),
  ),
  'a typeCast that gives bigints': cast((field, next) => {
    if (!/^(TINY|SHORT|LONG|LONGLONG|INT24)$/.test(field.type)) return next()
    const text = field.string()
    return text === null ? null : BigInt(text)
  }),
  'a typeCast that gives booleans': cast((field, next) =>
    /^(TINY|LONG|LONGLONG)$/.test(field.type) ? asBoolean(field.string()) : next(),
  ),
  'a typeCast that parses JSON': cast((field, next) => {
    if (!/JSON|BLOB/.test(field.type)) return next()
    const text = field.string()
    try {
      return JSON.parse(text ?? 'null')
    } catch {
      return text
    }
  }),
  'flags without FOUND_ROWS': { options: { flags: ['-FOUND_ROWS'] } as Partial<DataSourceOptions> },
}

const CASES: Readonly<Record<SpecDatabase['name'], Readonly<Record<string, Case>>>> = {
  sqlite: {
    'safe integers': {
      options: {
        prepareDatabase: (db: { defaultSafeIntegers(on: boolean): void }) =>
          db.defaultSafeIntegers(true),
      } as Partial<DataSourceOptions>,
    },
  },
  postgres: {
    'int8 and int4 as bigints': { parsers: { 20: BigInt, 23: BigInt } },
    parseInt8: { options: { parseInt8: true } as Partial<DataSourceOptions> },
    'int8 and int4 as texts': { parsers: { 20: asGiven, 23: asGiven } },
    'timestamps as texts': { parsers: { 1114: asGiven, 1184: asGiven } },
    'timestamps as objects': { parsers: { 1114: wrapped, 1184: wrapped } },
    'timestamps as numbers': {
      parsers: {
        1184: (text) => new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')).getTime(),
      },
    },
    'json as texts': { parsers: { 114: asGiven, 3802: asGiven } },
    'json with frozen objects': { parsers: { 3802: (text) => Object.freeze(JSON.parse(text)) } },
    'booleans as texts': { parsers: { 16: asGiven } },
    'all as bytes of texts': { parsers: { 114: Buffer.from, 3802: (text) => Buffer.from(text) } },
  },
  mariadb: MYSQL,
  mysql: MYSQL,
}

describeEachDatabase((database) => {
  it.each(Object.entries(CASES[database.name]))(
    '%s: everything is read as with the settings of the driver',
    async (_, { options = {}, parsers = {} }) => {
      const base = { ...(await database.fresh()), entities: [DBTaskResult] }
      const plain = new DataSource({ ...base, synchronize: true } as DataSourceOptions)
      const dataSource = new DataSource({ ...base, ...options } as DataSourceOptions)
      await plain.initialize()
      const backendOf = (ofDataSource: DataSource): DatabaseBackend =>
        new DatabaseBackend('default', { queues: [], options: { dataSource: ofDataSource } })
      try {
        const results = await parsing(parsers, async () => {
          await dataSource.initialize()
          const done = await worked(dataSource)
          const odd = await seen(backendOf(dataSource), dataSource, done)
          return { done, odd }
        })

        const usual = await seen(backendOf(plain), plain, results.done)
        expect(results.odd).toEqual(usual)
        expect(usual.map(({ status }) => status)).toEqual([
          'SUCCESSFUL',
          'SUCCESSFUL',
          'SUCCESSFUL',
          'SUCCESSFUL',
          'FAILED',
          'FAILED',
          'READY',
        ])
      } finally {
        await plain.destroy()
        if (dataSource.isInitialized) await dataSource.destroy()
      }
    },
  )
})

/** Sets parsers of node-postgres while `work` runs. */
async function parsing<T>(
  parsers: NonNullable<Case['parsers']>,
  work: () => Promise<T>,
): Promise<T> {
  const before = Object.keys(parsers).map(
    (type) => [Number(type), pg.types.getTypeParser(Number(type))] as const,
  )
  for (const [type, parser] of Object.entries(parsers)) pg.types.setTypeParser(Number(type), parser)
  try {
    return await work()
  } finally {
    for (const [type, parser] of before) pg.types.setTypeParser(type, parser as never)
  }
}

/** Tasks in all states, by all that a worker and its app ask. */
async function worked(dataSource: DataSource): Promise<TaskResult<unknown>[]> {
  catchLog()
  configureTasks({
    default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource, leaseSeconds: 30 } },
  })
  const [first, second] = await echo.enqueueMany([[{ n: 5, text: '日本' }], ['5']])
  const reported = await contextual.using({ priority: 5, uniqueKey: 'one' }).enqueue('é😀')
  const again = await contextual.using({ priority: 5, uniqueKey: 'one' }).enqueue('é😀')
  expect(again.id).toBe(reported.id)
  const retried = await flaky.enqueue('first')
  await runUntilEmpty()

  const cancelledWaiting = await echo.enqueue(1)
  await cancelledWaiting.cancel()
  const running = await patient.enqueue()
  const worker = await startWorker()
  for (let look = 0; (await refreshed(running)).status === 'READY' && look < 200; look++)
    await sleep(20)
  await running.cancel()
  await running.wait({ timeout: 5_000 }).catch(() => {})
  await worker.stop()
  const later = await echo
    .using({ runAfter: new Date('2031-02-03T04:05:06.789Z'), queueName: 'mail' })
    .enqueue(7)
  return [first!, second!, reported, retried, cancelledWaiting, running, later]
}

/** All that can be read of these tasks. */
async function seen(
  backend: DatabaseBackend,
  dataSource: DataSource,
  results: readonly TaskResult<unknown>[],
): Promise<{ status: string }[]> {
  const listed = await backend.list({ limit: 100 } as never)
  const entities = await dataSource.getRepository(DBTaskResult).find()
  const counts = await backend.counts()
  return Promise.all(
    results.map(async ({ id }) => {
      const result = await backend.getResult(id)
      const entity = entities.find((each) => each.id === id)
      return {
        status: result.status,
        read: valuesOf(result),
        listed: valuesOf(listed.find((each) => each.id === id)!),
        dbResult: result.dbResult,
        entity,
        counts,
      }
    }),
  )
}

async function refreshed(result: TaskResult<unknown>): Promise<TaskResult<unknown>> {
  await result.refresh()
  return result
}

const PROPERTIES = [
  'status',
  'taskName',
  'args',
  'kwargs',
  'priority',
  'queueName',
  'enqueuedAt',
  'startedAt',
  'finishedAt',
  'runAfter',
  'workerIds',
  'errors',
  'progress',
  'attempts',
] as const

function valuesOf(result: TaskResult<unknown>): object {
  const returned = result.status === 'SUCCESSFUL' ? result.returnValue : undefined
  return { properties: PROPERTIES.map((name) => result[name]), returned }
}
