import type { DataSource, EntityManager } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  group,
  InvalidSettingsError,
  InvalidTaskError,
  task,
  taskEntities,
  taskFinished,
} from 'typeorm-tasks'
import {
  anything,
  type DatabaseTasks,
  perform,
  TaskExpectationError,
  TaskRunError,
  testTasks,
} from 'typeorm-tasks/testing'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { describeEachDatabase } from '../support/databases'
import { add, contextual, fail, nothing } from '../support/tasks'

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'

const seen: string[] = []

const note = task('dbkit.note', (what: string) => void seen.push(what))
const parent = task('dbkit.parent', async () => {
  await note.enqueue('child')
  await note.using({ runAfter: new Date(Date.now() + 3_600_000) }).enqueue('in an hour')
})
let failures = 0
const flaky = task(
  'dbkit.flaky',
  () => {
    if (failures-- > 0) throw new Error('not yet')
    return 'at last'
  },
  { retry: { maxAttempts: 3, delay: 60_000 } },
)
const endless = task('dbkit.endless', async () => void (await endless.enqueue()))
const transfer = task(
  'dbkit.transfer',
  async (context, isSound: boolean) => {
    await context.manager.query(`INSERT INTO kit_account (id) VALUES (1)`)
    await note.enqueue('booked')
    if (!isSound) throw new Error('no money')
  },
  { takesContext: true, transactional: true },
)

/** Takes transactional tasks, too. */
class Kept extends DummyBackend {
  override readonly supportsTransactions = true
}

describeEachDatabase((database) => {
  let dataSource: DataSource
  let tasks: DatabaseTasks
  beforeAll(async () => {
    dataSource = await database.connect({ entities: taskEntities, synchronize: true })
    await dataSource.query('CREATE TABLE kit_account (id INTEGER)')
  })
  beforeEach(async () => {
    seen.length = 0
    failures = 0
    configureTasks({ default: { BACKEND, QUEUES: [], OPTIONS: { dataSource } } })
    tasks = testTasks({ mode: 'database' })
    await dataSource.getRepository(DBTaskResult).clear()
    await dataSource.query('DELETE FROM kit_account')
  })
  afterEach(async () => {
    await tasks.restore()
    backends.configure(undefined)
  })

  async function rolledBackOnly(work: (manager: EntityManager) => Promise<void>): Promise<void> {
    const undone = new Error('rolled back')
    const run = dataSource.transaction(async (manager) => {
      await work(manager)
      throw undone
    })
    await expect(run).rejects.toBe(undone)
  }

  /** What is left of the work is nothing. */
  async function rolledBack(work: (manager: EntityManager) => Promise<void>): Promise<void> {
    await rolledBackOnly(work)
    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
    expect(await dataSource.query('SELECT * FROM kit_account')).toEqual([])
  }

  describe('what is committed', () => {
    it('is looked at, run, and its results are rows', async () => {
      const result = await parent.enqueue()
      await tasks.expectEnqueued(parent, [])
      await tasks.expectNotEnqueued(note)
      const report = await tasks.run()

      expect(report.results.map(({ taskName }) => taskName)).toEqual(['dbkit.parent', 'dbkit.note'])
      expect(seen).toEqual(['child'])
      expect((await result.refresh()).status).toBe('SUCCESSFUL')
      expect((await tasks.expectEnqueued(note, ['in an hour'])).status).toBe('READY')
      expect((await tasks.enqueued(note)).map(({ args }) => args[0])).toEqual([
        'child',
        'in an hour',
      ])
      await expect(tasks.expectEnqueued(note, ['later'])).rejects.toBeInstanceOf(
        TaskExpectationError,
      )
    })

    it('is not what an open transaction holds, unless its manager is given', async () => {
      await rolledBack(async (manager) => {
        await add.using({ manager }).enqueue(1)
        await tasks.expectEnqueued(add, [1], { manager })
        await tasks.expectNotEnqueued(nothing, [], { manager })
        expect(await tasks.enqueued(add, { manager })).toHaveLength(1)
      })
      await tasks.expectNotEnqueued(add)
    })

    it('is all of it, of however many rows', async () => {
      const calls = Array.from({ length: 10_002 }, (_, i): [string] => [String(i)])
      await note.enqueueMany(calls)
      await tasks.expectEnqueued(note, ['0'])
      await tasks.expectEnqueued(note, undefined, { count: calls.length })
    }, 60_000)

    it('throws failures, and ends what never ends', async () => {
      await fail.enqueue('the reason')
      await expect(tasks.run()).rejects.toMatchObject({
        code: 'TASK_RUN',
        cause: new RangeError('the reason'),
      })
      await endless.enqueue()
      await expect(tasks.run({ atMost: 5 })).rejects.toThrow('After 5 runs')
    })

    it('reports the others where a task deletes rows', async () => {
      const sweep = task('dbkit.sweep', async () => {
        await dataSource.getRepository(DBTaskResult).clear()
        await note.enqueue('after')
      })
      await sweep.enqueue()
      const { runs, results } = await tasks.run()
      expect(runs).toBe(2)
      expect(results.map(({ taskName }) => taskName)).toEqual(['dbkit.note'])
    })

    it('travel makes due what is due by then, and keeps the order', async () => {
      for (let i = 0; i < 20; i++)
        await note.using({ runAfter: new Date(Date.now() + 3_600_000) }).enqueue(String(i))
      const throttled = add.using({ throttle: { key: 'sum', every: 60_000 } })
      await throttled.enqueue(1)
      expect((await tasks.run()).runs).toBe(1)
      expect((await throttled.enqueue(1)).isDuplicate).toBe(true)

      await tasks.travel(3_600_000 + 1_000)
      expect((await throttled.enqueue(2)).isDuplicate).toBe(false)
      expect((await tasks.run()).runs).toBe(21)
      expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    })

    it('untilFinished runs retries and what is due later', async () => {
      failures = 2
      const result = await flaky.enqueue()
      await note.using({ runAfter: new Date(Date.now() + 86_400_000) }).enqueue('tomorrow')
      expect((await tasks.run({ untilFinished: true })).runs).toBe(4)
      expect((await result.refresh()).returnValue).toBe('at last')
      expect(seen).toEqual(['tomorrow'])
    })

    it('settles flows', async () => {
      const flow = await group([add.order(1, 2), add.order(3, 4)])
        .next((sums) => contextual.order(sums as never))
        .enqueue()
      await tasks.run()
      expect((await flow.last.refresh()).status).toBe('SUCCESSFUL')
    })

    it('runs transactional tasks', async () => {
      await transfer.enqueue(true)
      await transfer.enqueue(false)
      await expect(tasks.run()).rejects.toThrow('no money')
      expect(await dataSource.query('SELECT * FROM kit_account')).toHaveLength(1)
      expect(seen).toEqual(['booked'])
    })

    it('two workers run each task once', async () => {
      await tasks.workers(2, { concurrency: 2 })
      const results = await note.enqueueMany(Array.from({ length: 20 }, (_, i) => [String(i)]))
      await Promise.all(results.map((result) => tasks.finished(result, { timeout: 20_000 })))
      expect(seen.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => String(i)).toSorted())
    })
  })

  describe('a drain in a transaction that is rolled back', () => {
    it('enqueues, claims, runs and finishes in it, and leaves nothing', async () => {
      await rolledBack(async (manager) => {
        const result = await parent.using({ manager }).enqueue()
        const report = await tasks.drain({ manager })
        expect(report.runs).toBe(2)
        expect(report.results.map(({ status }) => status)).toEqual(['SUCCESSFUL', 'SUCCESSFUL'])
        expect(seen).toEqual(['child'])
        const rows = await manager.find(DBTaskResult, { order: { id: 'ASC' } })
        expect(rows.map(({ status }) => status)).toEqual(['SUCCESSFUL', 'SUCCESSFUL', 'READY'])
        expect((await parent.using({ manager }).getResult(result.id)).status).toBe('SUCCESSFUL')
      })
    })

    it('travels, until all is finished', async () => {
      await rolledBack(async (manager) => {
        failures = 2
        await flaky.using({ manager }).enqueue()
        await parent.using({ manager }).enqueue()
        await tasks.drain({ manager, untilFinished: true })
        expect(seen).toEqual(['child', 'in an hour'])
        await note
          .using({ manager, runAfter: new Date(Date.now() + 60_000) })
          .enqueue('in a minute')
        await tasks.travel(61_000, { manager })
        expect((await tasks.drain({ manager })).runs).toBe(1)
      })
    })

    it('runs transactional tasks as savepoints', async () => {
      await rolledBack(async (manager) => {
        await transfer.using({ manager }).enqueue(true)
        await transfer.using({ manager }).enqueue(false)
        const { results } = await tasks.drain({ manager, throwFailures: false })
        expect(results.map(({ status }) => status)).toEqual(['SUCCESSFUL', 'FAILED', 'SUCCESSFUL'])
        expect(await manager.query('SELECT * FROM kit_account')).toHaveLength(1)
        expect(seen).toEqual(['booked'])
      })
    })

    it('settles flows', async () => {
      await rolledBack(async (manager) => {
        const flow = await add
          .order(1, 2)
          .next((sum) => add.order(sum, 4))
          .enqueue({ manager })
        await tasks.drain({ manager })
        const last = await add.using({ manager }).getResult(flow.last.id)
        expect(last.returnValue).toBe(7)
      })
    })

    it('goes on after a statement of a task that fails', async () => {
      const broken = task(
        'dbkit.broken',
        async () => void (await dataSource.manager.query('SELECT * FROM no_such_table')),
      )
      await rolledBack(async (manager) => {
        const failing = task('dbkit.failing', () => manager.query('SELECT * FROM no_such_table'))
        await failing.using({ manager }).enqueue()
        await broken.using({ manager }).enqueue()
        await note.using({ manager }).enqueue('after')
        const { results } = await tasks.drain({ manager, throwFailures: false })
        expect(results.map(({ status }) => status)).toEqual(['FAILED', 'FAILED', 'SUCCESSFUL'])
        await expect(tasks.drain({ manager })).resolves.toMatchObject({ runs: 0 })
      })
    })

    it('tells of a task that has ended the transaction', async () => {
      await tasks.restore()
      // One of its own: TypeORM does not see that the transaction is over.
      const own = await database.connect({ entities: taskEntities, synchronize: true })
      tasks = testTasks({ database: own })
      const runner = own.createQueryRunner()
      await runner.startTransaction()
      const { manager } = runner
      const ends = task('dbkit.ends', async () => void (await manager.query('COMMIT')))
      await ends.using({ manager }).enqueue()
      await expect(tasks.drain({ manager })).rejects.toThrow(
        'Task "dbkit.ends" has ended the transaction of the test. Let no task',
      )
      // On some databases there is nothing to roll back any more.
      await runner.rollbackTransaction().catch(() => {})
      await runner.release()
      const rows = await own.getRepository(DBTaskResult).find()
      expect(rows.map(({ status }) => status)).toEqual(['FAILED'])
      await own.getRepository(DBTaskResult).clear()
    })

    it('may be called by a task that it runs', async () => {
      await rolledBack(async (manager) => {
        const inner = task('dbkit.inner', async () => {
          await note.enqueue('within')
          await tasks.drain({ manager })
        })
        await inner.using({ manager }).enqueue()
        expect((await tasks.drain({ manager })).runs).toBe(1)
        expect(seen).toEqual(['within'])
      })
    })

    it('takes a cancel of a task by itself, and tells listeners', async () => {
      const heard: string[] = []
      const end = taskFinished.connect(({ result }) => heard.push(result.status))
      const cancels = task(
        'dbkit.cancels',
        async (context) => void (await context.taskResult.cancel()),
        { takesContext: true },
      )
      await rolledBack(async (manager) => {
        await cancels.using({ manager }).enqueue()
        await nothing.using({ manager }).enqueue()
        const { results } = await tasks.drain({ manager, throwFailures: false })
        expect(results.map(({ status }) => status)).toEqual(['FAILED', 'SUCCESSFUL'])
      })
      end()
      expect(heard).toEqual(['FAILED', 'SUCCESSFUL'])
    })

    it('throws failures, and serves some queues only', async () => {
      await rolledBack(async (manager) => {
        await fail.using({ manager }).enqueue('the reason')
        await note.using({ manager, queueName: 'mail' }).enqueue('mail')
        expect((await tasks.drain({ manager, queues: ['mail'] })).runs).toBe(1)
        const failure = await tasks.drain({ manager }).catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(TaskRunError)
        expect(failure).toMatchObject({ cause: new RangeError('the reason') })
      })
    })

    it('works in `atomic`, too', async () => {
      const undone = new Error('rolled back')
      await expect(
        atomic(dataSource, async (manager) => {
          await parent.enqueue()
          await tasks.drain({ manager })
          throw undone
        }),
      ).rejects.toBe(undone)
      expect(seen).toEqual(['child'])
      expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
    })

    it('refuses a manager that is in no transaction', async () => {
      await expect(tasks.drain({ manager: dataSource.manager })).rejects.toThrow(
        /The manager is in no transaction, so nothing could be rolled back/,
      )
      let kept: EntityManager | undefined
      await dataSource.transaction(async (manager) => void (kept = manager))
      await expect(tasks.drain({ manager: kept })).rejects.toBeInstanceOf(InvalidTaskError)
    })

    it('leaves paused queues alone', async () => {
      await backends.get('default').pauseQueue('mail')
      await note.using({ queueName: 'mail' }).enqueue('paused')
      await note.enqueue('runs')
      expect((await tasks.run()).runs).toBe(1)
      await backends.get('default').resumeQueue('mail')
      expect((await tasks.run({ queues: ['mail'] })).runs).toBe(1)
      expect(seen).toEqual(['runs', 'paused'])
    })

    it('untilFinished names what is due and cannot be claimed, instead of asking for ever', async () => {
      const backend = backends.get('default')
      await backend.pauseQueue('mail')
      const runAfter = new Date(Date.now() + 60_000)
      const result = await note.using({ queueName: 'mail', runAfter }).enqueue('paused')
      const refused = tasks.run({ untilFinished: true })
      await expect(refused).rejects.toThrow(
        `cannot be claimed: task "dbkit.note" (${result.id}): its queue "mail" is paused.`,
      )
      await backend.resumeQueue('mail')
      expect((await tasks.run({ untilFinished: true })).runs).toBe(1)
    })

    if (database.name !== 'sqlite')
      it('untilFinished names a row that another transaction has locked', async () => {
        await note.enqueue('locked')
        await rolledBackOnly(async (manager) => {
          await manager.update(DBTaskResult, { status: 'READY' }, { priority: 1 })
          await expect(tasks.run({ untilFinished: true })).rejects.toThrow(
            'its row in queue "default" is locked, or changed meanwhile',
          )
        })
        expect((await tasks.run({ untilFinished: true })).runs).toBe(1)
      })

    it('drains the backends that the transaction can reach, of several on several databases', async () => {
      await tasks.restore()
      const other = await database.connect({ entities: taskEntities, synchronize: true })
      configureTasks({
        default: { BACKEND, QUEUES: [], OPTIONS: { dataSource } },
        other: { BACKEND, QUEUES: [], OPTIONS: { dataSource: other } },
      })
      tasks = testTasks({ mode: 'database' })
      await rolledBack(async (manager) => {
        await note.using({ manager }).enqueue('inside')
        await note.using({ backend: 'other' }).enqueue('outside')
        expect((await tasks.drain({ manager })).runs).toBe(1)
      })
      await note
        .using({ backend: 'other', runAfter: new Date(Date.now() + 60_000) })
        .enqueue('later')
      await tasks.travel(61_000)
      expect((await tasks.run()).runs).toBe(2)
      // What was delayed comes first.
      expect(seen).toEqual(['inside', 'later', 'outside'])
    })

    it('refuses what is no manager, and one of another database', async () => {
      const refused = 'expected an EntityManager, got an object (Object)'
      const manager = {} as EntityManager
      await expect(tasks.drain({ manager })).rejects.toThrow(`drain, manager: ${refused}`)
      await expect(tasks.enqueued(add, { manager })).rejects.toThrow(refused)
      await expect(tasks.travel(1, { manager })).rejects.toThrow(refused)
      await expect(perform(add, [1], { manager })).rejects.toThrow(refused)

      const other = await database.connect({ entities: taskEntities, synchronize: true })
      await other.transaction(async (another) => {
        await expect(tasks.drain({ manager: another })).rejects.toThrow(
          'The manager belongs to another DataSource than the one of TASKS',
        )
      })
    })

    it('perform joins a transaction, too', async () => {
      await rolledBack(async (manager) => {
        await perform(transfer, [true], { manager })
        await tasks.expectEnqueued(note, ['booked'], { manager })
        await perform(parent, [], { manager })
        expect(await tasks.enqueued(note, { manager })).toHaveLength(3)
      })
    })
  })

  it('a kit that is restored leaves the rows of the app alone', async () => {
    await tasks.restore()
    await note.enqueue('of the app')
    const recorded = testTasks()
    await recorded.restore()
    const told = /: the kit was restored, so it has no tasks any more/
    await expect(recorded.run()).rejects.toThrow(told)
    await expect(tasks.run()).rejects.toThrow(told)
    await expect(tasks.drain()).rejects.toThrow(told)
    await expect(tasks.enqueued()).rejects.toThrow(told)
    await expect(tasks.expectEnqueued(note)).rejects.toThrow(told)
    await expect(tasks.expectNotEnqueued(note)).rejects.toThrow(told)
    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'READY' })).toBe(1)
    expect(seen).toEqual([])
  })

  it('takes a data source in the place of that of TASKS', async () => {
    await tasks.restore()
    configureTasks({ default: { BACKEND: Kept }, mail: { BACKEND: Kept } })
    expect(() => testTasks({ mode: 'database' })).toThrow(InvalidSettingsError)
    tasks = testTasks({ database: dataSource })
    await add.enqueue(1)
    await add.using({ backend: 'mail' }).enqueue(2)
    await tasks.expectEnqueued(add, [anything], { backend: 'mail' })
    expect((await tasks.run()).runs).toBe(2)
    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'SUCCESSFUL' })).toBe(2)
  })

  it.each(['without a kit', 'with one'])(
    'perform has a transaction for a task, %s',
    async (kit) => {
      await tasks.restore()
      const recorded = kit === 'with one' ? testTasks() : undefined
      await perform(transfer, [true])
      await expect(perform(transfer, [false])).rejects.toThrow('no money')
      expect(await dataSource.query('SELECT * FROM kit_account')).toHaveLength(1)
      if (recorded) expect(recorded.enqueued(note)).toHaveLength(1)
      else expect(await dataSource.getRepository(DBTaskResult).count()).toBe(1)
      await recorded?.restore()
    },
  )

  describe('recorded in memory, beside a database', () => {
    it('a task is gone with the transaction that it was enqueued in', async () => {
      const recorded = testTasks()
      await dataSource.transaction(async (manager) => add.using({ manager }).enqueue(1))
      await atomic(dataSource, async () => add.enqueue(2))
      await rolledBack(async (manager) => {
        await add.using({ manager }).enqueue(3)
        recorded.expectEnqueued(add, [3])
      })
      await atomic(dataSource, async () => {
        await add.enqueue(4)
        throw new Error('no')
      }).catch(() => {})
      expect(recorded.enqueued(add).map(({ args }) => args)).toEqual([[1], [2]])

      await dataSource.transaction(async (manager) => {
        await manager.transaction(async (inner) => add.using({ manager: inner }).enqueue(5))
        await add.using({ manager }).enqueueMany([[6], [7]])
        const inner = manager.transaction(async (savepoint) => {
          await add.using({ manager: savepoint }).enqueue(8)
          throw new Error('no')
        })
        await inner.catch(() => {})
      })
      expect(recorded.enqueued(add).map(({ args }) => args[0])).toEqual([1, 2, 5, 6, 7])
      await recorded.restore()
    })

    it('what a debounce has changed is undone with the transaction', async () => {
      const recorded = testTasks()
      const debounced = note.using({ debounce: { key: 'typing', wait: 1_000 } })
      await debounced.enqueue('kept')
      await rolledBack(async (manager) => {
        await debounced.using({ manager }).enqueue('undone')
        await debounced.using({ manager }).enqueue('undone, too')
        recorded.expectEnqueued(note, ['undone, too'])
      })
      expect(recorded.enqueued(note).map(({ args }) => args)).toEqual([['kept']])
      await recorded.restore()
    })

    it('a transactional task has a transaction, and inline it joins that of its caller', async () => {
      const recorded = testTasks()
      await transfer.enqueue(true)
      await recorded.run()
      expect(await dataSource.query('SELECT * FROM kit_account')).toHaveLength(1)
      await recorded.restore()
      await dataSource.query('DELETE FROM kit_account')

      const inline = testTasks({ mode: 'inline' })
      await note.enqueue('before')
      await rolledBack(async (manager) => {
        await note.using({ manager }).enqueue('inside')
        expect(inline.enqueued(note)).toHaveLength(2)
      })
      expect(inline.enqueued(note)).toHaveLength(1)
      expect(seen).toEqual(['booked', 'before', 'inside'])
      await inline.restore()
    })
  })
})
