import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { DataSource, type EntityManager } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  runUntilEmpty,
  type RunningWorker,
  startWorker,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { catchLog, type Line } from '../support/tasks'

let calls = 0
const transfer = task('trouble.transfer', () => void calls++, { transactional: true })
const nothing = task('trouble.nothing', () => {})

describeEachDatabase((database) => {
  let dataSource: DataSource
  let other: DataSource
  let lines: Line[] = []
  let worker: RunningWorker | undefined
  const rows = () => other.getRepository(DBTaskResult)
  const table = (): string => other.getMetadata(DBTaskResult).tablePath
  const said = (level: string): string[] =>
    lines.filter(([at]) => at === level).map(([, line]) => line)

  function configure(used: DataSource): void {
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource: used },
      },
    })
  }

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    other = await new DataSource({
      ...dataSource.options,
      synchronize: false,
    } as ConstructorParameters<typeof DataSource>[0]).initialize()
  })
  beforeEach(async () => {
    lines = catchLog()
    calls = 0
    await rows().clear()
    configure(dataSource)
  })
  afterEach(async () => {
    await worker?.stop().catch(() => {})
    worker = undefined
  })
  afterAll(() => other.destroy())

  /** How the rows stand, by their ids in order. */
  async function states(results: readonly TaskResult<unknown>[]): Promise<unknown[]> {
    const found = new Map((await rows().find()).map((row) => [row.id, row]))
    return results
      .map(({ id }) => found.get(id)!)
      .map(({ status, workerIds, attemptErrors, traceback }) => [
        status,
        workerIds.length,
        attemptErrors,
        traceback,
      ])
  }

  describe('transactional tasks whose transaction cannot begin', () => {
    it('are given back, with a pause and nothing counted, and run later', async () => {
      const results = await transfer
        .using({ rerunAfterCrash: false })
        .enqueueMany(Array.from({ length: 12 }, () => []))
      worker = await startWorker({ interval: 20 })
      // At once: the worker, which has a DataSource of its own, has run nothing yet.
      await dataSource.destroy()
      await sleep(2_000)
      const meanwhile = await rows().find()
      await dataSource.setOptions({ synchronize: false }).initialize()
      await Promise.all(results.map((result) => result.wait({ timeout: 30_000 })))

      expect(calls).toBe(results.length)
      expect(await states(results)).toEqual(results.map(() => ['SUCCESSFUL', 1, null, '']))
      expect(Math.max(...meanwhile.map(({ claims }) => claims))).toBeGreaterThan(0)
      expect(Math.max(...meanwhile.map(({ claims }) => claims))).toBeLessThanOrEqual(4)
      expect(said('error')).toEqual([])
    })

    it('are given back where all connections of the app are in use', async () => {
      // SQLite's one connection is shared.
      if (database.name === 'sqlite') return
      const extra =
        database.name === 'postgres'
          ? { max: 1, connectionTimeoutMillis: 100 }
          : { connectionLimit: 1, waitForConnections: false }
      const small = await new DataSource({
        ...dataSource.options,
        synchronize: false,
        extra,
      } as ConstructorParameters<typeof DataSource>[0]).initialize()
      configure(small)
      const [result] = await transfer.enqueueMany([[]])
      let release = (): void => {}
      const held = small.transaction(async (_manager: EntityManager) => {
        await new Promise<void>((resolve) => (release = resolve))
      })
      await sleep(100)
      worker = await startWorker({ interval: 20 })

      await sleep(700)
      const [row] = await rows().find()
      release()
      await held
      // By the other DataSource: whoever asks the small one takes its one connection from the worker.
      while ((await rows().findOneByOrFail({ id: result!.id })).finishedAt === null) await sleep(20)
      await worker.stop()
      await small.destroy()

      expect(row).toMatchObject({ status: 'READY', workerIds: [], attemptErrors: null })
      expect(await states([result!])).toEqual([['SUCCESSFUL', 1, null, '']])
      expect(said('warn').join()).toContain('could not begin and is given back')
    })
  })

  describe('a worker whose table is away', () => {
    const renamed = (from: string, to: string): Promise<unknown> =>
      other.query(`ALTER TABLE ${from} RENAME TO ${to}`)

    it('for a second goes on', async () => {
      worker = await startWorker({ interval: 20 })
      await sleep(200)
      await renamed(table(), 'elsewhere')
      await sleep(1_000)
      await renamed('elsewhere', table())

      const result = await nothing.enqueue()
      await result.wait({ timeout: 30_000 })

      expect(worker.state).toBe('running')
      expect(said('error').some((line) => line.includes('did not answer'))).toBe(true)
      const stopping = worker.stop()
      expect(worker.state).toBe('stopping')
      await stopping
      expect(worker.state).toBe('ended')
    })

    it('for good says so once, and in its state', async () => {
      worker = await startWorker({ interval: 20, workerId: 'left-alone' })
      await renamed(table(), 'elsewhere')
      try {
        await expect(worker.finished).rejects.toThrow('does not exist')
        expect(worker.state).toBe('failed')
        expect(said('error').filter((line) => line.includes('has failed'))).toEqual([
          `The worker left-alone has failed and runs no more tasks: DataSourceError: The table "${table().split('.').at(-1)}" does not exist. Apply the app's migrations: \`npx typeorm migration:run -d <data source file>\`; if none of them makes it, run \`npx tasks makemigrations\` first.`,
        ])
      } finally {
        await renamed('elsewhere', table())
      }
    })
  })

  it('a row at the greatest number of claims fails alone', async () => {
    const guilty = await nothing.enqueue()
    await rows().update({ id: guilty.id }, { claims: 2 ** 31 - 1 })
    const innocent = await nothing.enqueueMany([[], [], []])

    await runUntilEmpty()

    expect((await guilty.refresh()).errors).toMatchObject([
      {
        exceptionClassPath: 'typeorm_tasks.MalformedRowError',
        traceback: expect.stringContaining('claims is at its greatest value') as string,
      },
    ])
    expect(await states(innocent)).toEqual(innocent.map(() => ['SUCCESSFUL', 1, null, '']))
  })

  it('a task name of 50 MB is no task, and is cut where it is told', async () => {
    const guilty = await nothing.enqueue()
    await rows().update({ id: guilty.id }, { taskPath: 'x'.repeat(megabytes(database.name)) })

    await runUntilEmpty()

    const [error] = (await guilty.refresh()).errors
    expect(error!.exceptionClassPath).toBe('typeorm_tasks.TaskNotFoundError')
    expect(error!.traceback).toContain('characters)"; this process knows')
    expect(Math.max(...lines.map(([, line]) => line.length))).toBeLessThan(2_000)
  })
})

describeEachDatabase(
  (database) => {
    it.each([
      ['with WAL', true],
      ['without WAL', false],
    ])('a worker waits for a file that another connection has locked, %s', async (_, enableWAL) => {
      const dataSource = await new DataSource({
        ...(await database.fresh()),
        enableWAL,
        entities: [DBTaskResult],
        synchronize: true,
      } as ConstructorParameters<typeof DataSource>[0]).initialize()
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          OPTIONS: { dataSource },
        },
      })
      const result = await nothing.enqueue()
      const locker = new Database(dataSource.options.database as string)
      locker.exec('BEGIN EXCLUSIVE; UPDATE db_task_result SET claims = claims')
      const starting = startWorker({ interval: 20 })
      starting.catch(() => {})

      await sleep(1_500)
      locker.exec('COMMIT')
      locker.close()
      const worker = await starting
      await result.wait({ timeout: 30_000 })

      await worker.stop()
      await dataSource.destroy()
    })
  },
  { only: ['sqlite'] },
)

/** As much as fits into a default packet. */
function megabytes(name: string): number {
  return (name === 'sqlite' || name === 'postgres' ? 50 : 10) * 1024 * 1024
}
