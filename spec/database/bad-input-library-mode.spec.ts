import { DataSource } from 'typeorm'
import {
  atomic,
  configureTasks,
  DataSourceError,
  DBTaskResult,
  InvalidSettingsError,
  pruneResults,
  type PruneOptions,
  startWorker,
  type WorkerOptions,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { readyRow } from '../support/row-values'
import { databases } from '../support/databases'
import { add, catchLog } from '../support/tasks'

const QUEUE = 'expected a queue name of 1 to 32 letters, digits and _ . : @ / -'
let dataSource: DataSource

beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
})
beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
})
afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

const worker: [object | null, string][] = [
  [null, 'Worker: expected an object of options, got null.'],
  [
    { queues: 'default' },
    "Worker, queues: expected a list of queue names, or '*' for all, got 'default'. Change the option.",
  ],
  [{ queues: null }, "Worker, queues: expected a list of queue names, or '*' for all, got null."],
  [{ queues: ["o'hara; --"] }, `Worker: ${QUEUE}, got 'o'hara; --'.`],
  [{ queues: ['q'.repeat(33)] }, `Worker: ${QUEUE}, got '${'q'.repeat(33)}'.`],
  [{ queues: [''] }, `Worker: ${QUEUE}, got ''.`],
  [
    { queues: '*', excludeQueues: 'mail' },
    "Worker, excludeQueues: expected a list of queue names, got 'mail'.",
  ],
  [{ backend: null }, 'Worker, backend: expected an alias of TASKS, got null.'],
]
it.each(worker)(
  'a worker with the options %j does not start, and runs nothing',
  async (options, told) => {
    await add.enqueue(1)

    await expect(startWorker(options as WorkerOptions)).rejects.toThrow(told)

    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'READY' })).toBe(1)
  },
)

it('a worker with * among its queues serves them all', async () => {
  await dataSource
    .getRepository(DBTaskResult)
    .insert([
      readyRow({ queueName: 'mail', taskPath: 'spec.add' }),
      readyRow({ taskPath: 'spec.add' }),
    ] as object[])

  const { finished } = await startWorker({ queues: ['default', '*'], batch: true })

  expect((await finished).started).toBe(2)
})

const prune: [object, string][] = [
  [
    { minAgeDays: 30, minAge: 0 },
    'Prune: unknown option "minAgeDays". Known options: backend, queues, minAge, failedMinAge, dryRun, onProgress.',
  ],
  [
    { minAge: -1 },
    'Prune, minAge: expected a finite number of milliseconds, 0 or more, got -1. Change the option.',
  ],
  [
    { minAge: Number.NaN },
    'Prune, minAge: expected a finite number of milliseconds, 0 or more, got NaN.',
  ],
  [
    { minAge: '14' },
    "Prune, minAge: expected a finite number of milliseconds, 0 or more, got '14'.",
  ],
  [
    { minAge: 0, failedMinAge: null },
    'Prune, failedMinAge: expected a finite number of milliseconds, 0 or more, got null.',
  ],
  [
    { minAge: 0, queues: 'default' },
    "Prune, queues: expected a list of queue names, or '*' for all, got 'default'.",
  ],
  [{ minAge: 0, queues: [] }, "Prune: queues is empty. Name at least one, or '*' for all."],
  [{ minAge: 0, dryRun: 'no' }, "Prune, dryRun: expected true or false, got 'no'."],
  [{ minAge: 0, backend: 'mail' }, 'TASKS has no backend "mail"; it has "default".'],
]
it.each(prune)('pruning with the options %j deletes nothing', async (options, told) => {
  const longAgo = new Date('2020-01-01T00:00:00Z')
  await dataSource
    .getRepository(DBTaskResult)
    .insert(readyRow({ status: 'SUCCESSFUL', startedAt: longAgo, finishedAt: longAgo }) as object)

  await expect(pruneResults(options as PruneOptions)).rejects.toThrow(told)

  expect(await dataSource.getRepository(DBTaskResult).count()).toBe(1)
  if (!('backend' in options))
    await expect(pruneResults(options as PruneOptions)).rejects.toThrow(InvalidSettingsError)
})

it('pruning takes an age beyond all dates', async () => {
  expect(await pruneResults({ minAge: 1e300 })).toBe(0)
})

it('atomic says so when its DataSource is not open, or does not know the entity', async () => {
  const closed = new DataSource({ ...(await databases()[0]!.fresh()), entities: [DBTaskResult] })
  await expect(atomic(closed, () => add.enqueue(1))).rejects.toThrow(DataSourceError)
  await expect(atomic(closed, () => add.enqueue(1))).rejects.toThrow(
    'The DataSource of TASKS is not initialised. Call `await dataSource.initialize()`',
  )

  const bare = await databases()[0]!.connect()
  await expect(atomic(bare, () => add.enqueue(1))).rejects.toThrow(
    'does not know the entity DBTaskResult',
  )
})
