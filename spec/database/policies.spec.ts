import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  DoNotRetry,
  RetryLater,
  runUntilEmpty,
  setLogger,
  startWorker,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'

let runs: string[] = []
const flaky = task(
  'policies.flaky',
  async (times: number) => {
    runs.push('flaky')
    if (runs.length < times) throw new RangeError(`not yet, ${runs.length}`)
    return runs.length
  },
  { retry: { maxAttempts: 3, delay: 20, jitter: 0 } },
)
const picky = task(
  'policies.picky',
  async (): Promise<void> => {
    runs.push('picky')
    throw new TypeError('hopeless')
  },
  { retry: { maxAttempts: 5, delay: 0, retryOn: [RangeError] } },
)
const givesUp = task(
  'policies.givesUp',
  async (): Promise<void> => {
    runs.push('givesUp')
    throw new DoNotRetry('no use', { cause: new RangeError('gone') })
  },
  { retry: { maxAttempts: 5, delay: 0 } },
)
const later = task('policies.later', async () => {
  runs.push('later')
  if (runs.length === 1) throw new RetryLater(20)
  return 'done'
})
const heeds = task(
  'policies.heeds',
  async ({ signal }: TaskContext): Promise<string> => {
    await new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    return `heard ${String((signal.reason as Error).name)}`
  },
  { takesContext: true },
)
const ignores = task(
  'policies.ignores',
  async () => {
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    return 'too late'
  },
  { timeLimit: 50 },
)

describeEachDatabase((database) => {
  let dataSource: DataSource
  const rows = () => dataSource.getRepository(DBTaskResult)

  beforeAll(async () => {
    setLogger({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} })
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource, leaseSeconds: 15 },
      },
      short: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource, leaseSeconds: 3 },
      },
    })
  })

  beforeEach(async () => {
    runs = []
    await rows().clear()
  })

  async function untilFinished(
    results: { wait(options: { timeout: number }): Promise<unknown> }[],
  ): Promise<void> {
    const worker = await startWorker({ interval: 20 })
    await Promise.all(results.map((result) => result.wait({ timeout: 10_000 })))
    await worker.stop()
  }

  it('tries a failed run again, and keeps the errors of the earlier ones', async () => {
    const result = await flaky.enqueue(3)

    await untilFinished([result])

    expect(result).toMatchObject({ status: 'SUCCESSFUL', attempts: 3, returnValue: 3 })
    expect(result.errors.map(({ traceback }) => traceback.split('\n')[0])).toEqual([
      'RangeError: not yet, 1',
      'RangeError: not yet, 2',
    ])
  })

  it('gives up after maxAttempts, and sooner if this enqueue asked for fewer', async () => {
    const usual = await flaky.enqueue(9)
    await untilFinished([usual])
    expect([usual.status, usual.attempts, usual.errors.length]).toEqual(['FAILED', 3, 3])

    const once = await flaky.using({ retry: null }).enqueue(99)
    await untilFinished([once])
    expect([once.status, once.attempts, once.errors.length]).toEqual(['FAILED', 1, 1])
  })

  it('does not try again what is not worth it', async () => {
    const results = [await picky.enqueue(), await givesUp.enqueue()]

    await untilFinished(results)

    expect(runs.toSorted()).toEqual(['givesUp', 'picky'])
    expect(results.map(({ errors }) => errors[0]!.exceptionClassPath)).toEqual([
      'TypeError',
      'RangeError',
    ])
  })

  it('runs a task again when it asks for that', async () => {
    const result = await later.enqueue()
    await untilFinished([result])
    expect(result).toMatchObject({ returnValue: 'done', attempts: 2 })
  })

  it('ends a run at its time limit, whether it listens or not', async () => {
    const results = [await heeds.using({ timeLimit: 50 }).enqueue(), await ignores.enqueue()]

    await untilFinished(results)

    for (const result of results)
      expect(result.errors).toMatchObject([
        { exceptionClassPath: 'typeorm_tasks.TimeLimitExceeded' },
      ])
  })

  it('does not run what has waited too long', async () => {
    const result = await flaky.using({ maxAge: 10, retry: { maxAttempts: 3, delay: 0 } }).enqueue(1)
    await new Promise((resolve) => setTimeout(resolve, 50))

    await runUntilEmpty()

    await result.refresh()
    expect(result.status).toBe('FAILED')
    expect(result.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.MaxAgeExceeded' }])
    expect(runs).toEqual([])
  })

  it('cancels a task that waits, at once', async () => {
    const result = await flaky.using({ uniqueKey: 'only' }).enqueue(1)

    await result.cancel()

    expect(result.status).toBe('FAILED')
    expect(result.errors[0]!.exceptionClassPath).toBe('typeorm_tasks.TaskCancelled')
    expect((await flaky.using({ uniqueKey: 'only' }).enqueue(1)).id).not.toBe(result.id)
  })

  it('cancels a task that runs, though it goes on to return', async () => {
    const result = await heeds.enqueue()
    const worker = await startWorker({ interval: 20 })
    while ((await result.refresh()).status !== 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 10))

    await result.cancel()
    await result.wait({ timeout: 5_000 })
    await worker.stop()

    expect(result.status).toBe('FAILED')
    expect(result.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }])
  })

  it('holds a row for as long as it runs, though the lease is shorter', async () => {
    const result = await heeds.using({ backend: 'short' }).enqueue()
    const worker = await startWorker({ backend: 'short', interval: 20 })
    const other = await startWorker({ backend: 'short', interval: 20 })
    await new Promise((resolve) => setTimeout(resolve, 6_000))

    expect(await result.refresh()).toMatchObject({ status: 'RUNNING', attempts: 1 })

    await result.cancel()
    await result.wait({ timeout: 5_000 })
    await Promise.all([worker.stop(), other.stop()])
  })

  it('takes over a row whose lease ran out, unless it must not run twice', async () => {
    const [again, once] = [
      await flaky.enqueue(1),
      await flaky.using({ rerunAfterCrash: false }).enqueue(1),
    ]
    const ended = new Date(Date.now() - 60_000)
    await rows().update({ status: 'READY' }, {
      status: 'RUNNING',
      claims: 1,
      workerIds: ['gone'],
      startedAt: ended,
      leaseUntil: ended,
    } as object)

    await untilFinished([again, once])

    expect(again).toMatchObject({ status: 'SUCCESSFUL', attempts: 2 })
    expect(again.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.WorkerLost' }])
    expect(once).toMatchObject({ status: 'FAILED', attempts: 1 })
    expect(once.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.WorkerLost' }])
  })
})
