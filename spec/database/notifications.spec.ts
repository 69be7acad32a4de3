import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  remoteTask,
  type RunningWorker,
  startWorker,
  type TaskResult,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { channelOf } from '#notify'
import { isDueToTell } from '#wakeups/wakeups'
import { setClock } from '#clock'
import { backends } from '#backend-registry'
import type { Order } from '#lib/order'
import { joinable } from '#ambient-transaction'
import type { Database } from '../../backends/database/connections/same-database'
import { task } from '#define'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

/** When the run of a task was told to end, by the task's id. */
const aborted = new Map<string, number>()
const started = new Set<string>()
task(
  'hints.listen',
  async ({ signal, taskResult }) => {
    started.add(taskResult.id)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    aborted.set(taskResult.id, performance.now())
    throw signal.reason
  },
  { takesContext: true },
)

task('hints.quick', ({ taskResult }) => void started.add(taskResult.id), { takesContext: true })

it('a channel has a name that PostgreSQL takes, however long the name of the table is', () => {
  expect(channelOf({ name: 'db_task_result' })).toBe('tasks:db_task_result')
  const long = ['ä'.repeat(31), `${'ä'.repeat(30)}b`].map((name) => channelOf({ name }))
  expect(long.map((channel) => Buffer.byteLength(channel) < 64)).toEqual([true, true])
  expect(long[0]).not.toBe(long[1])
})

describe('workers are told of rows', () => {
  const app = (): Database => ({ name: 'app', dataSources: new Set() })
  const toldAt = (times: number[], of = app()): number[] =>
    times.filter((time) => {
      setClock({ now: () => time, sleep: async () => {} })
      return isDueToTell(of, false, 'default')
    })
  afterEach(() => setClock())

  it('one by one, as long as they come 10 ms apart', () => {
    expect(toldAt([0, 10, 20, 33, 60, 100])).toEqual([0, 10, 20, 33, 60, 100])
  })

  it('every 50 ms, while they follow each other closely', () => {
    expect(toldAt([0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99, 108, 150])).toEqual([
      0, 54, 108, 150,
    ])
  })

  it('of each queue, in a transaction and outside of one, by itself', () => {
    const one = app()
    expect(toldAt([0, 1], one)).toEqual([0])
    expect(isDueToTell(one, true, 'default')).toBe(true)
    expect(isDueToTell(one, false, 'mail')).toBe(true)
    expect(isDueToTell(app(), false, 'default')).toBe(true)
  })
})

/** On a slow machine, and far below what it takes without a wake-up: a third of a lease of 30 s, a poll each minute. */
const AT_ONCE_MS = 5_000

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let elsewhere: DataSource
    let worker: RunningWorker | undefined

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      elsewhere = new DataSource({ ...dataSource.options, synchronize: false } as DataSourceOptions)
      await elsewhere.initialize()
    })
    afterAll(() => elsewhere.destroy())
    beforeEach(() => void catchLog())
    afterEach(async () => {
      await worker?.stop()
      worker = undefined
    })

    it('a running task hears at once that it was cancelled in its own process', async () => {
      const result = await running(30)

      expect(await cancelled(result)).toBeLessThan(AT_ONCE_MS)
    })

    it('a running task hears of its cancel elsewhere: at once on PostgreSQL, else at the next renewal', async () => {
      const result = await running(database.name === 'postgres' ? 30 : 3)

      expect(await cancelled(await there(result))).toBeLessThan(AT_ONCE_MS)

      await worker!.stop()
      expect((await result.refresh()).errors[0]!.exceptionClassPath).toBe(
        'typeorm_tasks.TaskCancelled',
      )
    })

    it('an idle worker is woken by a row enqueued in its own process', async () => {
      expect(await startedWithin(dataSource)).toBeLessThan(AT_ONCE_MS)
    })

    it('an idle worker is woken by a row enqueued elsewhere', async () => {
      expect(await startedWithin(elsewhere)).toBeLessThan(AT_ONCE_MS)
    })

    it('an idle worker is woken by a row with a unique key, and by one after a key that was taken', async () => {
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
      const quick = remoteTask('hints.quick')
      const held = quick.using({ uniqueKey: 'held' })
      const later = new Date(Date.now() + 600_000)
      const holder = await enqueuedBy(elsewhere, held.using({ runAfter: later }))
      worker = await startWorker({ interval: 60_000 })
      await sleep(500)

      const keyed = await enqueuedBy(elsewhere, quick.using({ uniqueKey: 'free' }))
      expect(await startOf(keyed)).toBeLessThan(AT_ONCE_MS)
      await sleep(500)
      const taken = await enqueuedBy(elsewhere, held)
      const ordinary = await enqueuedBy(elsewhere, quick)
      expect(taken.id).toBe(holder.id)
      expect(await startOf(ordinary)).toBeLessThan(AT_ONCE_MS)
    })

    it('a transaction that enqueues or cancels can be prepared only if it notifies nobody', async () => {
      const result = await running(30)
      const prepared = async (notify: boolean, cancels: boolean): Promise<void> => {
        configureTasks({
          default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource, notify } },
        })
        const runner = dataSource.createQueryRunner()
        try {
          await runner.startTransaction()
          await (cancels
            ? joinable(dataSource, (join) =>
                join(runner.manager, () => backends.get('default').cancel(result)),
              )
            : remoteTask('hints.quick').using({ manager: runner.manager }).enqueue())
          await runner.query(`PREPARE TRANSACTION 'spec'`)
          await runner.query(`ROLLBACK PREPARED 'spec'`)
        } finally {
          await runner.rollbackTransaction()
          await runner.release()
        }
      }

      for (const cancels of [false, true]) {
        await sleep(60)
        await expect(prepared(true, cancels)).rejects.toThrow('cannot PREPARE a transaction that')
        await prepared(false, cancels)
      }
      expect(await cancelled(result)).toBeLessThan(AT_ONCE_MS)
    })

    it('the connection that listens is made anew when it is lost, also while the worker is full', async () => {
      const result = await running(30, 1)

      await elsewhere.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      )
      await sleep(3_000)

      expect(await cancelled(await there(result))).toBeLessThan(AT_ONCE_MS)
    })

    it('a cancel that is rolled back is not told', async () => {
      const result = await running(30)
      const told: string[] = []
      const listener = elsewhere.createQueryRunner()
      const client = (await listener.connect()) as {
        on(event: 'notification', heard: (said: { payload: string }) => void): void
      }
      client.on('notification', ({ payload }) => told.push(payload))
      await listener.query('LISTEN "tasks:db_task_result"')

      const { atomic } = await import('typeorm-tasks')
      const rolledBack = atomic(dataSource, async () => {
        await result.cancel()
        throw new Error('back')
      })
      await expect(rolledBack).rejects.toThrow('back')
      await sleep(200)
      expect(told).toEqual([])

      await result.cancel()
      await sleep(200)
      expect(told).toEqual([`cancel ${result.id}`])
      await listener.query('UNLISTEN *')
      await listener.release()
    })

    it('what others say on the channel harms nobody', async () => {
      const result = await running(30)

      for (const words of ['', 'cancel', 'work default', `cancel ${result.id}`, 'cancel nonsense'])
        await elsewhere.query(`SELECT pg_notify('tasks:db_task_result', $1)`, [words])
      await sleep(300)

      expect(aborted.has(result.id)).toBe(false)
      expect(await cancelled(result)).toBeLessThan(AT_ONCE_MS)
    })

    async function running(leaseSeconds: number, concurrency = 5): Promise<TaskResult<unknown>> {
      configureTasks({
        default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource, leaseSeconds } },
      })
      worker = await startWorker({ concurrency, interval: 200 })
      const result = await remoteTask('hints.listen').enqueue()
      while (!started.has(result.id)) await sleep(5)
      return result
    }

    /** Milliseconds from an enqueue by way of `producer` to its start, in a worker that looks by itself only once a minute. */
    async function startedWithin(producer: DataSource): Promise<number> {
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
      worker = await startWorker({ interval: 60_000 })
      await sleep(500)
      const before = performance.now()
      await startOf(await enqueuedBy(producer, remoteTask('hints.quick')))
      return performance.now() - before
    }

    async function enqueuedBy(producer: DataSource, of: object): Promise<TaskResult<unknown>> {
      const backend = new DatabaseBackend('default', {
        queues: [],
        options: { dataSource: producer },
      })
      const argsKwargs = '{"args": [], "kwargs": {}}'
      const task = of as Order['task']
      const key =
        typeof task.uniqueKey === 'string'
          ? ({ kind: 'unique', key: task.uniqueKey } as const)
          : null
      const order = { task, args: [], kwargs: {}, argsKwargs, key }
      return backend.enqueue(order)
    }

    /** Milliseconds from now until the task has started, 10,000 at most. */
    async function startOf({ id }: TaskResult<unknown>): Promise<number> {
      const before = performance.now()
      while (!started.has(id) && performance.now() - before < 10_000) await sleep(5)
      return performance.now() - before
    }

    /** The same result, as another process holds it. */
    async function there({ id }: TaskResult<unknown>): Promise<TaskResult<unknown>> {
      return new DatabaseBackend('default', {
        queues: [],
        options: { dataSource: elsewhere },
      }).getResult(id)
    }

    async function cancelled(result: TaskResult<unknown>): Promise<number> {
      const before = performance.now()
      await result.cancel()
      while (!aborted.has(result.id) && performance.now() - before < 10_000) await sleep(5)
      return (aborted.get(result.id) ?? Number.POSITIVE_INFINITY) - before
    }
  },
  { only: ['postgres'] },
)
