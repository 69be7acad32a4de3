import { DataSource, type DataSourceOptions } from 'typeorm'
import * as first from 'typeorm-tasks'
import { tasks } from '#registry'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { anotherEvaluation } from '../support/evaluations'
import { catchLog } from '../support/tasks'

/** The library, TypeORM and the app's data source file are evaluated a second time, which configures last. */
describeEachDatabase((database) => {
  const second = anotherEvaluation()
  const add = first.task('twice.add', (a: number, b: number) => a + b)
  let options: FreshOptions
  let mine: DataSource
  let theirs: DataSource

  beforeAll(async () => {
    catchLog()
    options = await database.fresh()
    mine = new DataSource({ ...options, entities: [first.DBTaskResult], synchronize: true })
    await mine.initialize()
  })
  beforeEach(() => {
    theirs = new second.typeorm.DataSource({
      ...options,
      entities: [second.library.DBTaskResult],
    } as DataSourceOptions)
    configure(first, mine)
    configure(second.library, theirs)
  })
  afterEach(async () => {
    if (theirs.isInitialized) await theirs.destroy()
    await mine.getRepository(first.DBTaskResult).clear()
  })
  afterAll(() => mine.destroy())

  const count = (): Promise<number> => mine.getRepository(first.DBTaskResult).count()

  describe.each(['never opened', 'open'])('the later data source is %s', (state) => {
    beforeEach(async () => {
      if (state === 'open') await theirs.initialize()
    })

    it('a manager of the earlier one is joined: committed, and rolled back', async () => {
      const result = await mine.transaction((manager) => add.using({ manager }).enqueue(1, 2))
      const rolledBack = mine.transaction(async (manager) => {
        await add.using({ manager }).enqueueMany([
          [3, 4],
          [5, 6],
        ])
        throw new Error('no')
      })

      await expect(rolledBack).rejects.toThrow('no')
      expect(await count()).toBe(1)
      expect((await add.using({ manager: mine.manager }).getResult(result.id)).args).toEqual([1, 2])
    })

    it('`atomic` on the earlier one is joined', async () => {
      const rolledBack = first.atomic(mine, async () => {
        await add.enqueue(1, 2)
        throw new Error('no')
      })

      await expect(rolledBack).rejects.toThrow('no')
      expect(await count()).toBe(0)
    })

    it('a transaction that another library has begun there is joined, as typeorm-transactional does it', async () => {
      const rolledBack = mine.transaction(async (manager) => {
        const own = Object.getOwnPropertyDescriptor(mine, 'manager')!
        Object.defineProperty(mine, 'manager', { configurable: true, get: () => manager })
        try {
          await add.enqueue(1, 2)
        } finally {
          Object.defineProperty(mine, 'manager', own)
        }
        throw new Error('no')
      })

      await expect(rolledBack).rejects.toThrow('no')
      expect(await count()).toBe(0)
    })

    it('tasks of both are run, and results of one are read by the other', async () => {
      const double = second.library.task('twice.double', (n: number) => 2 * n)
      const results = [await add.enqueue(1, 2), await double.enqueue(21)]

      await second.library.runUntilEmpty()

      const values = results.map((result) => result.refresh().then((it) => it.returnValue))
      expect(await Promise.all(values)).toEqual([3, 42])
      expect(results[0]).toBeInstanceOf(second.library.TaskResult)
    })

    it('errors of one are known to the other', async () => {
      const later = first.task('twice.later', (context) => {
        if (context.attempt === 1) throw new first.RetryLater(0)
        throw new second.library.DoNotRetry('done')
      }, { takesContext: true, retry: { maxAttempts: 5, delay: 0 } }) // prettier-ignore
      const result = await later.enqueue()

      await second.library.runUntilEmpty()

      await result.refresh()
      expect(result.errors.map((error) => error.exceptionClassPath)).toEqual([
        'typeorm_tasks.RetryLater',
        'typeorm_tasks.DoNotRetry',
      ])
    })
  })

  it('both know the rows by the class of either', async () => {
    await theirs.initialize()
    await add.enqueue(1, 2)

    const read = [mine, theirs].flatMap((dataSource) =>
      [first, second.library].map((library) =>
        dataSource.getRepository(library.DBTaskResult).find(),
      ),
    )

    for (const rows of await Promise.all(read))
      expect(rows).toMatchObject([{ taskPath: 'twice.add' }])
  })

  it('a worker of one hears at once of rows and cancels of the other', async () => {
    const wait = first.task(
      'twice.wait',
      (context) => new Promise((end) => context.signal.addEventListener('abort', end)),
      { takesContext: true },
    )
    const worker = await second.library.startWorker({ interval: 60_000 })
    try {
      // Once it sleeps, nothing else wakes it within the time of this spec.
      await new Promise((end) => setTimeout(end, 300))
      const result = await wait.using({ manager: mine.manager }).enqueue()
      while ((await result.refresh()).status === 'READY')
        await new Promise((end) => setTimeout(end, 20))

      await result.cancel()

      expect((await result.wait({ timeout: 30_000 })).errors).toMatchObject([
        { exceptionClassPath: 'typeorm_tasks.TaskCancelled' },
      ])
    } finally {
      await worker.stop()
    }
  })

  it('a data source file that was evaluated again, and the library was not: the earlier manager is joined', async () => {
    const again = new DataSource({ ...options, entities: [first.DBTaskResult] })
    configure(first, again)

    await mine.transaction((manager) => add.using({ manager }).enqueue(1, 2))
    await again.initialize()
    try {
      await mine.transaction((manager) => add.using({ manager }).enqueue(3, 4))
      await again.transaction((manager) => add.using({ manager }).enqueue(5, 6))

      expect(await count()).toBe(3)
    } finally {
      await again.destroy()
    }
  })

  it('what is set for the process holds for both', async () => {
    const heard: string[] = []
    const unhear = second.library.taskEnqueued.connect(({ result }) => heard.push(result.taskName))
    const earlier = first.setMiddleware([
      { enqueue: (order, next) => next({ ...order, args: [20, 22] }) },
    ])
    const double = second.library.task('twice.again', (a: number, b: number) => a * b)
    try {
      expect((await double.enqueue(1, 1)).args).toEqual([20, 22])
      expect(heard).toEqual(['twice.again'])
      expect(tasks.get('twice.again')).toBe(double)
      expect(second.library.setMiddleware([])).toHaveLength(1)
    } finally {
      unhear()
      first.setMiddleware(earlier)
    }
  })

  it('a manager of another database is refused, and both are named', async () => {
    const elsewhere = await database.connect({ entities: [first.DBTaskResult], synchronize: true })

    const refused = elsewhere.transaction((manager) => add.using({ manager }).enqueue(1, 2))

    await expect(refused).rejects.toThrow(first.InvalidTaskError)
    await expect(refused).rejects.toThrow(String(elsewhere.options.database))
    await expect(refused).rejects.toThrow(String(mine.options.database))
  })

  it('a manager of another table of the database is refused, and both are named', async () => {
    configure(first, mine)
    const other = new DataSource({
      ...options,
      entities: [first.dbTaskResultSchema({ tableName: 'other_tasks' })],
      synchronize: true,
    } as DataSourceOptions)
    await other.initialize()
    try {
      const refused = other.transaction((manager) => add.using({ manager }).enqueue(1, 2))

      await expect(refused).rejects.toThrow(/table .*other_tasks; TASKS has .*db_task_result\./)
    } finally {
      await other.destroy()
    }
  })
})

function configure(library: typeof first, dataSource: DataSource): void {
  library.configureTasks({
    default: {
      BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
      QUEUES: [],
      OPTIONS: { dataSource },
    },
  })
}
