import type { DataSource } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  remoteTask,
  runUntilEmpty,
  setLogger,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'

const add = task('sums.add', async (a: number, b: number) => ({
  sum: a + b,
  note: 'naïve "quotes" \\ \n 😀',
}))
const fail = task('sums.fail', async (): Promise<void> => {
  throw new RangeError('no such thing')
})

const steps = task(
  'sums.steps',
  async (context: TaskContext) => {
    for (const done of [1, 2, 3]) context.reportProgress(done, 3, 'naïve')
  },
  { takesContext: true },
)

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    setLogger({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} })
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource },
      },
    })
  })

  afterEach(async () => {
    await dataSource.getRepository(DBTaskResult).clear()
  })

  it('runs what was enqueued, and keeps the return value', async () => {
    const result = await add.enqueue(1, 2)
    expect(result).toMatchObject({
      status: 'READY',
      attempts: 0,
      args: [1, 2],
      kwargs: {},
      finishedAt: null,
      startedAt: null,
    })

    await runUntilEmpty({ workerId: 'w-1' })

    await result.refresh()
    expect(result.returnValue).toEqual({ sum: 3, note: 'naïve "quotes" \\ \n 😀' })
    expect(result.workerIds).toEqual(['w-1'])
    expect(result.startedAt!.getTime()).toBeGreaterThanOrEqual(result.enqueuedAt!.getTime())
    expect(result.finishedAt!.getTime()).toBeGreaterThanOrEqual(result.startedAt!.getTime())
    expect(await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: result.id })).toEqual(
      result.dbResult,
    )
  })

  it('keeps the error of a task that failed', async () => {
    const result = await fail.enqueue()

    await runUntilEmpty()

    await result.refresh()
    expect(result.status).toBe('FAILED')
    expect(result.errors).toEqual([
      {
        exceptionClassPath: 'RangeError',
        traceback: expect.stringContaining('RangeError: no such thing\n') as string,
      },
    ])
    expect(() => result.returnValue).toThrow('no such thing')
  })

  it('keeps the last progress that a task reported, however quick it was', async () => {
    const result = await steps.enqueue()

    await runUntilEmpty()

    expect((await result.refresh()).progress).toEqual({ done: 3, total: 3, note: 'naïve' })
  })

  it('ends a task nobody knows as FAILED', async () => {
    const result = await remoteTask<[]>('sums.ad').enqueue()

    await runUntilEmpty()

    expect((await result.refresh()).errors[0]).toEqual({
      exceptionClassPath: 'typeorm_tasks.TaskNotFoundError',
      traceback: expect.stringContaining('Did you mean "sums.add"?') as string,
    })
  })

  it('enqueues many at once, in order', async () => {
    const results = await add.enqueueMany(
      Array.from({ length: 1200 }, (_, i): [number, number] => [i, 1]),
    )

    await runUntilEmpty({ concurrency: 100 })

    await results[1199]!.refresh()
    expect(results[1199]!.returnValue.sum).toBe(1200)
    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'SUCCESSFUL' })).toBe(
      1200,
    )
  })

  it('gives the waiting task of the same unique key, and a new one once it has finished', async () => {
    const first = await add.using({ uniqueKey: 'only' }).enqueue(1, 1)
    const second = await add.using({ uniqueKey: 'only' }).enqueue(2, 2)
    expect(second.id).toBe(first.id)

    await runUntilEmpty()

    expect((await add.using({ uniqueKey: 'only' }).enqueue(3, 3)).id).not.toBe(first.id)
  })

  it('leaves nothing of a transaction that rolls back', async () => {
    const attempt = atomic(dataSource, async () => {
      await add.enqueue(1, 2)
      throw new Error('back')
    })

    await expect(attempt).rejects.toThrow('back')
    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
  })
})
