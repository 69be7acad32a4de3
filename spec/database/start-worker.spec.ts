import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { task } from '#define'
import { InvalidBackendError, InvalidSettingsError } from '#errors'
import { pruneResults, type PruneOptions, runUntilEmpty, startWorker } from '#start-worker'
import type { WorkerOptions } from '#worker-options'
import { databases } from '../support/databases'
import { add, catchLog, fail, nothing, patient } from '../support/tasks'

const countdown = task('spec.countdown', async (from: number): Promise<number> => {
  if (from > 0) await countdown.enqueue(from - 1)
  return from
})
const parent = task('spec.parent', async (a: number): Promise<number> => {
  const child = await add.enqueue(a, 1)
  return (await child.wait({ timeout: 20_000 })).returnValue
})

let dataSource: DataSource
const rows = () => dataSource.getRepository(DBTaskResult)

beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
})
beforeEach(() => {
  catchLog()
  configureTasks({
    default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } },
    other: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } },
  })
})
afterEach(async () => await rows().clear())

it('runs what is ready and what that enqueues, until nothing is left', async () => {
  await countdown.enqueue(3)

  expect(await runUntilEmpty()).toEqual({ started: 4, abandoned: 0 })
  expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(4)
})

it('runs a task that waits for another that it enqueued', async () => {
  const result = await parent.enqueue(1)

  await runUntilEmpty({ interval: 20 })

  expect((await result.refresh()).returnValue).toBe(2)
})

it('gives running rows back at once when it is stopped by force, also after a stop without', async () => {
  const result = await patient.enqueue()
  const worker = await startWorker({ interval: 20 })
  while ((await result.refresh()).status === 'READY') await sleep(10)
  const stopped = worker.stop()

  expect(await worker.stop({ force: true })).toEqual({ started: 1, abandoned: 1 })
  expect(await result.refresh()).toMatchObject({ status: 'READY', attempts: 0 })
  expect(await stopped).toEqual({ started: 1, abandoned: 1 })
})

it('serves its queue, its backend, and no more tasks than it should', async () => {
  await nothing.using({ queueName: 'mail' }).enqueueMany([[], [], []])
  const [left, other] = [
    await nothing.enqueue(),
    await nothing.using({ backend: 'other' }).enqueue(),
  ]

  expect(await runUntilEmpty({ queues: ['mail'], maxTasks: 2 })).toEqual({
    started: 2,
    abandoned: 0,
  })
  expect(await runUntilEmpty({ queues: '*', excludeQueues: ['default'] })).toEqual({
    started: 1,
    abandoned: 0,
  })
  expect((await left.refresh()).status).toBe('READY')
  expect(await runUntilEmpty({ backend: 'other' })).toEqual({ started: 1, abandoned: 0 })
  expect((await other.refresh()).status).toBe('SUCCESSFUL')
})

it('works beside the app until it is stopped', async () => {
  const worker = await startWorker({ interval: 10, workerId: 'beside' })
  const [good, bad] = [await add.enqueue(1), await fail.enqueue('no')]
  await Promise.all([good.wait({ timeout: 10_000 }), bad.wait({ timeout: 10_000 })])

  expect(await worker.stop()).toEqual({ started: 2, abandoned: 0 })

  expect(await worker.finished).toEqual({ started: 2, abandoned: 0 })
  expect(worker.workerId).toBe('beside')
  expect(good.workerIds).toEqual(['beside'])
  const after = await add.enqueue(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect((await after.refresh()).status).toBe('READY')
})

it('has a random name of 32 letters and digits where none is given', async () => {
  const workers = await Promise.all([startWorker({ batch: true }), startWorker({ batch: true })])
  await Promise.all(workers.map(({ finished }) => finished))

  expect(workers[0]!.workerId).toMatch(/^[A-Za-z0-9]{32}$/)
  expect(workers[1]!.workerId).not.toBe(workers[0]!.workerId)
})

it('prunes finished results of fourteen days, or as told', async () => {
  await nothing.enqueueMany([[], [], []])
  await fail.enqueue('no')
  await runUntilEmpty()
  const [old] = await rows().findBy({ status: 'SUCCESSFUL' })
  await rows().update({ id: old!.id }, { finishedAt: new Date(Date.now() - 15 * 86_400_000) })
  await nothing.enqueue()
  const told: number[] = []

  expect(await pruneResults({ dryRun: true })).toBe(1)
  expect(await pruneResults()).toBe(1)
  expect(await pruneResults({ queues: ['mail'], minAge: 0 })).toBe(0)
  expect(
    await pruneResults({
      minAge: 0,
      failedMinAge: 86_400_000,
      onProgress: (deleted) => void told.push(deleted),
    }),
  ).toBe(2)
  expect(await pruneResults({ queues: '*', minAge: 0 })).toBe(1)

  expect(told).toEqual([2])
  expect(await rows().countBy({ status: 'READY' })).toBe(1)
})

const milliseconds = (option: string, got: string): string =>
  `Worker, ${option}: expected a finite number of milliseconds, 0 or more, got ${got}.`
const workerId = (got: string): string =>
  `Worker, workerId: expected 1 to 64 printable characters, got ${got}.`
const badOptions: [unknown, string][] = [
  [{ interval: -1 }, milliseconds('interval', '-1')],
  [{ interval: Number.POSITIVE_INFINITY }, milliseconds('interval', 'Infinity')],
  [{ interval: 'abc' }, milliseconds('interval', "'abc'")],
  [{ shutdownTimeout: Number.NaN }, milliseconds('shutdownTimeout', 'NaN')],
  [{ startupDelay: -1 }, milliseconds('startupDelay', '-1')],
  [{ maxTasks: -1 }, 'Worker, maxTasks: expected a whole number, 0 or more, got -1.'],
  [{ maxTasks: 1.5 }, 'Worker, maxTasks: expected a whole number, 0 or more, got 1.5.'],
  [{ concurrency: 0 }, 'Worker, concurrency: expected a whole number, 1 or more, got 0.'],
  [{ workerId: '' }, workerId("''")],
  [{ workerId: 'x'.repeat(65) }, workerId(`'${'x'.repeat(65)}'`)],
  [{ workerId: 'a\nb' }, workerId("'a\\u000ab'")],
  [{ batch: 'yes' }, "Worker, batch: expected true or false, got 'yes'."],
  [{ schedules: 1 }, 'Worker, schedules: expected true or false, got 1.'],
  [{ queues: [] }, "Worker: queues is empty. Name at least one, or '*' for all."],
  [
    { queues: 'mail' },
    "Worker, queues: expected a list of queue names, or '*' for all, got 'mail'.",
  ],
  [
    { excludeQueues: ['mail'] },
    "Worker: excludeQueues goes with all queues only. Set queues to '*', or leave excludeQueues out.",
  ],
  [{ queue: ['mail'] }, 'Worker: unknown option "queue". Did you mean "queues"?'],
]

it.each(badOptions)('refuses the worker options %j', async (options, told) => {
  await expect(startWorker(options as WorkerOptions)).rejects.toThrow(told)
})

it('refuses what prune cannot mean', async () => {
  await expect(pruneResults({ minAge: -1 })).rejects.toThrow(InvalidSettingsError)
  await expect(pruneResults({ minAge: -1 })).rejects.toThrow(
    'Prune, minAge: expected a finite number of milliseconds, 0 or more, got -1.',
  )
  await expect(pruneResults({ minage: 1 } as PruneOptions)).rejects.toThrow(
    'Prune: unknown option "minage". Did you mean "minAge"?',
  )
})

it('knows no worker of an unknown backend', async () => {
  await expect(startWorker({ backend: 'othr' })).rejects.toThrow(InvalidBackendError)
  await expect(pruneResults({ backend: 'othr' })).rejects.toThrow('Did you mean "other"?')
})

it('takes a worker id of 64 characters', async () => {
  const worker = await startWorker({ workerId: 'x'.repeat(64), batch: true })

  expect(await worker.finished).toEqual({ started: 0, abandoned: 0 })
})

describe('queues of TASKS', () => {
  beforeEach(() =>
    configureTasks({
      default: {
        BACKEND: DatabaseBackend,
        QUEUES: ['default', 'mail', 'slow'],
        OPTIONS: { dataSource },
      },
    }),
  )

  it('that a worker does not serve are named once', async () => {
    const log = catchLog()

    await runUntilEmpty({ queues: ['mail'] })
    await runUntilEmpty({ queues: '*' })

    expect(log.filter(([, line]) => line.includes('not served'))).toEqual([
      ['info', 'The queues default, slow of TASKS.default are not served by this worker.'],
    ])
  })

  it.each([
    [{ queues: ['mial'] }, "Worker: queue 'mial' is not in QUEUES of TASKS.default"],
    [{ queues: '*', excludeQueues: ['solw'] }, 'Did you mean "slow"?'],
  ] as [WorkerOptions, string][])('that are not there are refused: %j', async (options, told) => {
    await expect(startWorker(options)).rejects.toThrow(told)
    await expect(startWorker(options)).rejects.toThrow(InvalidSettingsError)
  })
})
