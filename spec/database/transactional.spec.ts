import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type EntityManager, EntitySchema } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  NotSupportedError,
  runUntilEmpty,
  setLogger,
  startWorker,
  task,
  type TaskContext,
  type TaskResult,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'

interface Entry {
  id: number
  text: string
}
const Ledger = new EntitySchema<Entry>({
  name: 'ledger',
  columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },
})

const told: string[] = []
let meanwhile: (context: TaskContext) => Promise<unknown> = async () => {}

const write = (manager: EntityManager, text: string) => manager.insert(Ledger, { text })
const follow = task('tx.follow', async (text: string) => text)
const book = task(
  'tx.book',
  async (context: TaskContext, text: string) => {
    await write(context.manager, text)
    context.reportProgress(1, 1, text)
    await meanwhile(context)
    return text
  },
  { takesContext: true, transactional: true },
)
const plain = task(
  'tx.plain',
  async (context: TaskContext) => {
    await write(context.manager, 'never')
  },
  { takesContext: true },
)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let other: DataSource
  const rows = (from: DataSource = dataSource) => from.getRepository(DBTaskResult)
  const texts = async () =>
    (await dataSource.getRepository(Ledger).find({ order: { id: 'ASC' } })).map(({ text }) => text)

  beforeAll(async () => {
    const tell = (line: string): void => void told.push(line)
    setLogger({ debug: () => {}, info: () => {}, warn: tell, error: tell })
    dataSource = await database.connect({ entities: [DBTaskResult, Ledger], synchronize: true })
    // As somebody else sees the database: from another connection.
    other = await new DataSource({
      ...dataSource.options,
      synchronize: false,
    } as ConstructorParameters<typeof DataSource>[0]).initialize()
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource, leaseSeconds: 6 },
      },
    })
  })
  beforeEach(async () => {
    meanwhile = async () => {}
    told.length = 0
    await rows().clear()
    await dataSource.getRepository(Ledger).clear()
  })
  afterAll(() => other.destroy())

  async function untilFinished(...results: TaskResult<unknown>[]): Promise<void> {
    const worker = await startWorker({ interval: 20 })
    await Promise.all(results.map((result) => result.wait({ timeout: 15_000 })))
    await worker.stop()
  }

  it('a task commits its writes, its row and what it enqueues together', async () => {
    let seen: unknown
    meanwhile = async () => {
      await follow.enqueue('joined')
      await atomic(dataSource, () => follow.enqueue('joined deeper'))
      seen = [await rows(other).count(), await other.getRepository(Ledger).count()]
    }
    const result = await book.enqueue('one')

    await runUntilEmpty()

    expect(seen).toEqual([1, 0])
    expect(await texts()).toEqual(['one'])
    const { status, attempts, progress, errors } = await result.refresh()
    expect({ status, attempts, progress, errors, told }).toEqual({
      status: 'SUCCESSFUL',
      attempts: 1,
      progress: { done: 1, total: 1, note: 'one' },
      errors: [],
      told: [],
    })
    expect(result.returnValue).toBe('one')
    expect(result.finishedAt!.getTime()).toBeGreaterThanOrEqual(result.startedAt!.getTime())
    expect(await rows().countBy({ status: 'SUCCESSFUL', taskPath: 'tx.follow' })).toBe(2)
    expect(told).toEqual([])
  })

  it('the row is finished as soon as the writes are there, not when the worker says so again', async () => {
    const states: string[] = []
    const result = await book.enqueue('one')
    const worker = await startWorker({ interval: 20 })
    while ((await other.getRepository(Ledger).count()) === 0) await sleep(1)
    states.push((await rows(other).findOneByOrFail({ id: result.id })).status)
    await worker.stop()

    expect(states).toEqual(['SUCCESSFUL'])
  })

  it('a task that throws leaves none of them, and is tried again like any other', async () => {
    let runs = 0
    meanwhile = async () => {
      await follow.enqueue(`of run ${++runs}`)
      if (runs < 3) throw new RangeError(`in run ${runs}`)
    }
    const result = await book.using({ retry: { maxAttempts: 3, delay: 0 } }).enqueue('one')

    await runUntilEmpty()

    expect(await texts()).toEqual(['one'])
    expect(await result.refresh()).toMatchObject({ status: 'SUCCESSFUL', attempts: 3 })
    expect(result.errors.map(({ traceback }) => traceback.split('\n')[0])).toEqual([
      'RangeError: in run 1',
      'RangeError: in run 2',
    ])
    expect(
      (await rows().findBy({ taskPath: 'tx.follow' })).map(({ argsKwargs }) => argsKwargs.args),
    ).toEqual([['of run 3']])
  })

  it('a return value that JSON cannot carry undoes the writes, too', async () => {
    const odd = task(
      'tx.odd',
      async ({ manager }: TaskContext): Promise<unknown> => {
        await write(manager, 'odd')
        return new Map()
      },
      { takesContext: true, transactional: true },
    )
    const result = await odd.enqueue()

    await runUntilEmpty()

    expect([(await result.refresh()).status, await texts()]).toEqual(['FAILED', []])
  })

  it('a task that cancels itself in its transaction is FAILED as cancelled, and writes nothing', async () => {
    meanwhile = ({ taskResult }) => taskResult.cancel()
    const result = await book.using({ retry: { maxAttempts: 3 } }).enqueue('one')

    await runUntilEmpty()

    await result.refresh()
    expect([result.status, result.errors.at(-1)?.exceptionClassPath, await texts()]).toEqual([
      'FAILED',
      'typeorm_tasks.TaskCancelled',
      [],
    ])
  })

  /** Somebody else changes the row while its task runs; on SQLite, where nobody can then, between the claim and the run. */
  async function changedMeanwhile(change: string): Promise<void> {
    if (database.name !== 'sqlite') {
      meanwhile = async () => {
        meanwhile = async () => {}
        await other.query(change)
      }
      return
    }
    let isOpen = (): void => {}
    const opened = new Promise<void>((resolve) => (isOpen = resolve))
    void dataSource.transaction(async () => {
      isOpen()
      while ((await rows(other).countBy({ status: 'RUNNING' })) === 0) await sleep(5)
      await other.query(change)
    })
    await opened
  }

  it('a task whose row was taken over meanwhile writes nothing, and its second run does all of it once', async () => {
    const result = await book.enqueue('one')
    await changedMeanwhile('UPDATE db_task_result SET claims = claims + 1')
    const worker = await startWorker({ interval: 20 })
    while (!told.some((line) => line.includes('was taken over meanwhile'))) await sleep(5)

    expect(await rows(other).findOneByOrFail({ id: result.id })).toMatchObject({
      status: 'RUNNING',
    })
    expect(await texts()).toEqual([])

    await result.wait({ timeout: 15_000 })
    await worker.stop()
    expect(result).toMatchObject({
      status: 'SUCCESSFUL',
      attempts: 2,
      errors: [{ exceptionClassPath: 'typeorm_tasks.WorkerLost' }],
    })
    expect(await texts()).toEqual(['one'])
    expect(await rows().count()).toBe(1)
  })

  it('a task that was cancelled while it ran writes nothing, though it goes on to return', async () => {
    const result = await book.enqueue('one')
    await changedMeanwhile('UPDATE db_task_result SET cancel_requested_at = enqueued_at')

    await untilFinished(result)

    expect(result.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }])
    expect(await texts()).toEqual([])
  })

  it('a task that ignores its time limit is rolled back, and what it writes later is refused', async () => {
    const late: unknown[] = []
    let isLate = false
    meanwhile = async ({ manager }) => {
      await sleep(4_000)
      late.push(
        await write(manager, 'late').then(
          () => 'written',
          () => 'refused',
        ),
      )
      isLate = true
    }
    // The handler must have begun before, also where BEGIN is slow.
    const result = await book.using({ timeLimit: 1_000 }).enqueue('one')

    await untilFinished(result)
    while (!isLate) await sleep(20)

    expect(result.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.TimeLimitExceeded' }])
    expect(late).toEqual(['refused'])
    expect(await texts()).toEqual([])
  })

  it('a transaction that the task forgot inside its own is not committed by halves', async () => {
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => (end = resolve))
    meanwhile = async ({ manager }) => {
      await new Promise<void>((open) => {
        manager
          .transaction(async (inner) => {
            await write(inner, 'inner')
            open()
            await ended
          })
          .catch(() => {})
      })
    }
    const result = await book.enqueue('one')

    await runUntilEmpty()
    end()

    expect((await result.refresh()).errors[0]!.traceback).toContain(
      'Another transaction was open on the connection',
    )
    expect(await texts()).toEqual([])
  })

  it('many at once all commit, beside the renewals of their own worker', async () => {
    meanwhile = () => sleep(30)
    await book.enqueueMany(Array.from({ length: 30 }, (_, i): [string] => [`${i}`]))

    await runUntilEmpty({ concurrency: 10 })

    expect((await texts()).length).toBe(30)
    // Rows that wait for a second are given back and claimed again, so claims are not counted.
    const ended = (await rows().find()).map(({ status, workerIds }) => [status, workerIds.length])
    expect(ended).toEqual(Array.from({ length: 30 }, () => ['SUCCESSFUL', 1]))
    expect(told).toEqual([])
  })

  it('a task that is not transactional has no manager', async () => {
    const result = await plain.enqueue()

    await runUntilEmpty()

    expect((await result.refresh()).errors).toMatchObject([
      { exceptionClassPath: 'typeorm_tasks.NotSupportedError' },
    ])
    expect(result.errors[0]!.traceback).toContain('Give the task `transactional: true`')
    expect(await texts()).toEqual([])
  })

  it('called directly, it runs in the transaction it is given', async () => {
    const attempt = dataSource.transaction(async (manager) => {
      await book.using({ manager }).call('one')
      expect(await manager.find(Ledger)).toHaveLength(1)
      throw new Error('back')
    })

    await expect(attempt).rejects.toThrow('back')
    await expect(book.call('one')).rejects.toThrow(NotSupportedError)
    expect(await texts()).toEqual([])
  })
})
