import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DataSource, EntitySchema, MoreThan } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  type RunningWorker,
  runUntilEmpty,
  startWorker,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import { describeEachDatabase, isMySqlFamily } from '../support/databases'
import { catchLog } from '../support/tasks'

interface Entry {
  id: number
  text: string
}
const Ledger = new EntitySchema<Entry>({
  name: 'ledger',
  columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },
})

const tenant = new AsyncLocalStorage<string>()
const seen: (string | undefined)[] = []
let during: (context: TaskContext) => Promise<unknown> = async () => {}

function look(name: string): string | undefined {
  const found = tenant.getStore()
  tenant.enterWith(name)
  seen.push(found)
  return found
}
const looks = task('context.look', look)
const looksInTransaction = task('context.lookInTransaction', look, { transactional: true })
const nothing = task('context.nothing', () => {})
const parent = task('context.parent', async () => void (await nothing.enqueue()))
const books = task('context.book', (context: TaskContext) => during(context), {
  takesContext: true,
  transactional: true,
})

describeEachDatabase((database) => {
  let dataSource: DataSource
  const rows = () => dataSource.getRepository(DBTaskResult)
  const texts = async () => (await dataSource.getRepository(Ledger).find()).map(({ text }) => text)

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult, Ledger], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource },
      },
      immediate: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend', QUEUES: [] },
    })
  })
  beforeEach(async () => {
    catchLog()
    seen.length = 0
    await rows().clear()
    await dataSource.getRepository(Ledger).clear()
  })

  describe('AsyncLocalStorage', () => {
    it('is empty at the start of every run, whatever the run before it or the start of the worker left', async () => {
      await looks.enqueueMany([['a'], ['b'], ['c']])
      await looksInTransaction.enqueueMany([['a'], ['b'], ['c']])

      await tenant.run('the request that started the worker', () =>
        runUntilEmpty({ concurrency: 1 }),
      )

      expect(seen).toEqual(Array.from({ length: 6 }, () => undefined))
      expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(6)
    })

    it('of a task that runs at enqueue is not seen by its caller, nor by the next task', async () => {
      const at = looks.using({ backend: 'immediate' })

      await tenant.run('request', async () => {
        await at.enqueue('a')
        expect(tenant.getStore()).toBe('request')
        await at.enqueue('b')
      })

      expect(seen).toEqual(['request', 'request'])
    })
  })

  describe('what outlives its transaction', () => {
    async function lateEnqueue(isCommitted: boolean): Promise<string> {
      let late = Promise.resolve('never')
      await atomic(dataSource, async () => {
        await nothing.enqueue()
        late = sleep(100).then(() =>
          nothing.enqueue().then(
            () => 'enqueued',
            (error: Error) => `${error.name}: ${error.message}`,
          ),
        )
        if (!isCommitted) throw new Error('no')
      }).catch(() => {})
      return late
    }

    it('enqueues outside of it, if it was committed', async () => {
      expect(await lateEnqueue(true)).toBe('enqueued')
      expect(await rows().count()).toBe(2)
    })

    it('is told so, if it was rolled back', async () => {
      expect(await lateEnqueue(false)).toBe(
        'InvalidTaskError: The transaction of `atomic`, or of the task, in which this was to happen has been rolled back. Await everything that is enqueued within it.',
      )
      expect(await rows().count()).toBe(0)
    })

    it('joins the transaction around it, if that goes on', async () => {
      await atomic(dataSource, async () => {
        let late: Promise<unknown> = Promise.resolve()
        await atomic(dataSource, async () => {
          late = sleep(50).then(() => nothing.enqueue())
        })
        await late
        throw new Error('no')
      }).catch(() => {})

      expect(await rows().count()).toBe(0)
    })

    it('is told so by a manager whose transaction is over', async () => {
      const manager = await dataSource.transaction(async (inner) => inner)
      // One connection has one runner, which is never released.
      if (database.name === 'sqlite') return

      await expect(nothing.using({ manager }).enqueue()).rejects.toThrow(
        'The transaction of the manager is over.',
      )
    })

    it('enqueues outside of the transaction of its task', async () => {
      let late: Promise<unknown> = Promise.resolve()
      during = async () => {
        late = sleep(300).then(() => nothing.enqueue())
      }
      await books.enqueue()

      await runUntilEmpty()
      await late

      expect(await rows().countBy({ taskPath: nothing.name })).toBe(1)
    })
  })

  it('a worker that is started in a transaction is not part of it', async () => {
    const result = await parent.enqueue()
    let worker: RunningWorker | undefined

    await atomic(dataSource, async () => {
      worker = await startWorker({ interval: 20 })
    })
    await result.wait({ timeout: 30_000 })
    await worker!.stop()

    expect(result.errors).toEqual([])
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBeGreaterThanOrEqual(1)
  })

  describe('a transactional task that ends its transaction by SQL of its own', () => {
    const ends: [string, readonly string[], readonly string[]][] = [
      ['ROLLBACK', ['ROLLBACK'], []],
      ['COMMIT', ['COMMIT'], ['written']],
      ['ROLLBACK and another BEGIN', ['ROLLBACK', 'BEGIN'], []],
      ...(isMySqlFamily(database.name)
        ? ([['DDL', ['CREATE TABLE IF NOT EXISTS by_task (id int)'], ['written']]] as const)
        : []),
    ].map(([what, statements, left]) => [what as string, statements, left] as never)

    it.each(ends)('is FAILED: %s', async (_, statements, left) => {
      during = async ({ manager }) => {
        await manager.insert(Ledger, { text: 'written' })
        for (const statement of statements) await manager.query(statement)
      }
      const guilty = await books.using({ retry: { maxAttempts: 3, delay: 1 } }).enqueue()
      await runUntilEmpty()

      expect((await guilty.refresh()).errors).toMatchObject([
        { exceptionClassPath: 'typeorm_tasks.InvalidTaskError' },
      ])
      expect(guilty.errors[0]!.traceback).toContain(
        'The transaction of the task had ended before the task returned.',
      )
      expect(await texts()).toEqual(left)

      during = async ({ manager }) => void (await manager.insert(Ledger, { text: 'next' }))
      const next = await books.enqueue()
      await runUntilEmpty()
      expect((await next.refresh()).status).toBe('SUCCESSFUL')
      expect(await texts()).toEqual([...left, 'next'])
    })
  })

  it('a transactional run that is given up does not keep its locks until its statement ends', async () => {
    // SQLite's statements end before anything else can happen in the process.
    if (database.name === 'sqlite') return
    await dataSource.getRepository(Ledger).insert({ text: 'before' })
    const naps = database.name === 'postgres' ? 'SELECT pg_sleep(17)' : 'SELECT SLEEP(17)'
    const late: string[] = []
    during = async ({ manager }) => {
      await manager.update(Ledger, { id: MoreThan(0) }, { text: 'by the task' })
      const write = (): Promise<unknown> => manager.insert(Ledger, { text: 'late' })
      await manager.query(naps).then(
        () => late.push('slept'),
        () => late.push('ended'),
      )
      await write().catch(() => late.push('refused'))
    }
    const result = await books.using({ timeLimit: 1_000 }).enqueue()
    const before = performance.now()
    const worker = await startWorker({ interval: 20 })

    await result.wait({ timeout: 30_000 }).finally(() => void worker.stop())
    await dataSource.getRepository(Ledger).update({ id: MoreThan(0) }, { text: 'by another' })

    expect(performance.now() - before).toBeLessThan(12_000)
    expect(result.errors).toMatchObject([{ exceptionClassPath: 'typeorm_tasks.TimeLimitExceeded' }])
    await worker.stop()
    expect(await texts()).toEqual(['by another'])
    expect(late[0]).not.toBe('slept')
  })
})
