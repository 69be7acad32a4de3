import { Redis } from 'ioredis'
import type { DataSource } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  getResult,
  InvalidSettingsError,
  NotSupportedError,
  runUntilEmpty,
  type TaskResult,
} from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { ShardedBackend } from 'typeorm-tasks/backends/sharded'
import { DatabaseBackend } from '#backends/database'
import { backends } from '#backend-registry'
import { task } from '#define'
import type { ListQuery } from '#lib/backend'
import { queueStates } from '../../cli/queues/states'
import { describeEachDatabase } from '../support/databases'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { catchLog } from '../support/tasks'

const HOUR_MS = 3_600_000
const USING = { backend: 'fast', queueName: 'mail' } as const

/** What ran, in its order. */
const runs: string[] = []
const note = task('relay.rows', (name: string) => void runs.push(name), USING)
const failing = task('relay.fails', () => Promise.reject(new Error('no')), USING)
const throttled = task('relay.throttled', (name: string) => void runs.push(name), {
  ...USING,
  throttle: { every: 60_000, key: 'throttled' },
})

describeOnRedis('rows that wait for the relay', () => {
  describeEachDatabase((database) => {
    let dataSource: DataSource
    let prefix: string

    beforeAll(async () => {
      catchLog()
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    })
    beforeEach(async () => {
      runs.length = 0
      await table().clear()
      prefix = freshPrefix()
      configure({})
    })
    afterEach(() => backends.get('fast').close())

    function configure(options: object): void {
      configureTasks({
        default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } },
        fast: {
          BACKEND: BullMQBackend,
          QUEUES: ['mail', 'default'],
          OPTIONS: { connection: redisUrl(), prefix, dataSource, ...options },
        },
      })
    }
    const table = () => dataSource.getRepository(DBTaskResult)
    const backend = () => backends.get('fast')
    const drain = () => runUntilEmpty({ backend: 'fast', queues: '*' })
    const inside = <T>(work: () => Promise<T>): Promise<T> => atomic(dataSource, work)
    const ids = async (query: Partial<ListQuery> = {}): Promise<string[]> =>
      (await backend().list({ limit: 100, ...query })).map(({ id }) => id)

    /** As before its commit. */
    async function unseen<T>({ id }: TaskResult<unknown>, work: () => Promise<T>): Promise<T> {
      await table().update({ id }, { backendName: 'unseen' })
      const done = await work()
      await table().update({ id }, { backendName: 'fast' })
      return done
    }

    /** As if the relay had claimed it, and were lost. */
    const claimed = ({ id }: TaskResult<unknown>, lease = 60_000) =>
      table().update(
        { id },
        { status: 'RUNNING', claims: 1, leaseUntil: new Date(Date.now() + lease) },
      )

    it('are listed and counted beside the tasks in Redis, and READY while the relay holds them', async () => {
      const direct = await note.enqueue('direct')
      const waiting = await inside(() => note.enqueue('waiting'))
      const moving = await inside(() => note.enqueue('moving'))
      await claimed(moving)

      expect(await ids()).toEqual([moving.id, waiting.id, direct.id])
      expect(await ids({ status: 'READY' })).toEqual([moving.id, waiting.id, direct.id])
      expect(await ids({ status: 'RUNNING' })).toEqual([])
      expect(await ids({ limit: 1 })).toEqual([moving.id])
      expect(await ids({ before: moving.id })).toEqual([waiting.id, direct.id])
      expect(await ids({ queues: ['default'] })).toEqual([])
      expect(await backend().counts()).toMatchObject({ READY: 3, RUNNING: 0 })
      expect((await moving.refresh()).status).toBe('READY')
      expect(moving.startedAt).toBeNull()
    })

    it('are in the counts that a dashboard shows, and none is counted twice once it has moved', async () => {
      const look = async () => {
        const browser = await backend().openBrowser()
        try {
          return await browser.queues()
        } finally {
          await browser.close()
        }
      }
      await note.enqueue('direct')
      await inside(() => note.enqueue('waiting'))
      await claimed(await inside(() => note.enqueue('moving')))
      const runAfter = new Date(Date.now() + HOUR_MS)
      await inside(() => note.using({ runAfter }).enqueue('later'))
      await inside(() => note.using({ queueName: 'default', backend: 'default' }).enqueue('other'))

      const none = { due: 0, later: 0, running: 0, oldestDueMs: null, forRelay: 0 }
      expect(await look()).toMatchObject([
        { name: 'default', ...none },
        { name: 'mail', due: 3, later: 1, waiting: 0, running: 0, forRelay: 3 },
      ])
      await table().delete({ status: 'RUNNING' })
      await drain()
      expect(await look()).toMatchObject([
        { name: 'default', ...none },
        { name: 'mail', ...none, later: 1, forRelay: 1 },
      ])
    })

    it('are counted together where their backends are shards of one', async () => {
      const shard = (own: string) => ({
        BACKEND: BullMQBackend,
        QUEUES: ['mail'],
        OPTIONS: { connection: redisUrl(), prefix: own, dataSource },
      })
      configureTasks({
        fast: shard(prefix),
        second: shard(freshPrefix()),
        all: {
          BACKEND: ShardedBackend,
          QUEUES: ['mail'],
          OPTIONS: { by: () => 1, over: ['fast', 'second'] },
        },
      })
      await note.enqueue('direct')
      await inside(() => note.enqueue('of the first'))
      for (const name of ['a', 'b'])
        await inside(() => note.using({ backend: 'second' }).enqueue(name))

      const { queues } = await queueStates(backends.get('all'))
      expect(queues).toMatchObject([{ name: 'mail', due: 4, forRelay: 3 }])
      await backends.get('second').close()
    })

    it('are found by their id within the transaction, and outside of it after the commit', async () => {
      await inside(async () => {
        const result = await note.enqueue('inside')
        expect((await result.refresh()).status).toBe('READY')
      })
      const result = await inside(() => note.enqueue('after'))
      expect((await getResult(result.id, { backend: 'fast' })).args).toEqual(['after'])
    })

    it('are cancelled while they wait, and do not run', async () => {
      const result = await inside(() => note.enqueue('cancelled'))
      expect(await backend().cancel(result)).toBe(true)
      await drain()
      expect(runs).toEqual([])
      expect((await result.refresh()).status).toBe('FAILED')
      expect(result.errors[0]?.exceptionClassPath).toBe('typeorm_tasks.TaskCancelled')
      expect(await backend().cancel(result)).toBe(false)
    })

    it('are cancelled while the relay holds them, once they are in Redis', async () => {
      const result = await inside(() => note.enqueue('moving'))
      await claimed(result, -1_000)
      const [asked] = await Promise.all([backend().cancel(result), drain()])
      await drain()
      // It may have run to its end before.
      expect((await result.refresh()).status).toBe(asked ? 'FAILED' : 'SUCCESSFUL')
    })

    it('are retried by hand after a cancel, and keep that error', async () => {
      const result = await inside(() => note.enqueue('again'))
      await backend().cancel(result)
      expect((await backend().retry(result.id)).status).toBe('READY')
      await drain()
      expect(runs).toEqual(['again'])
      await result.refresh()
      expect([result.status, result.errors.length]).toEqual(['SUCCESSFUL', 1])
    })

    it('that are malformed are FAILED with the reason, and others move', async () => {
      const bad = await inside(() => note.enqueue('bad'))
      const good = await inside(() => note.enqueue('good'))
      await table().update({ id: bad.id }, { argsKwargs: { args: 'none', kwargs: {} } as never })
      await drain()
      expect(runs).toEqual(['good'])
      expect((await good.refresh()).status).toBe('SUCCESSFUL')
      expect((await bad.refresh()).status).toBe('FAILED')
      expect(bad.errors[0]?.traceback).toContain('args_kwargs has no list "args"')
    })

    it('keep priority, options, trace of failures and time of enqueue', async () => {
      const low = await inside(() => note.using({ priority: -5 }).enqueue('low'))
      const high = await inside(() => note.using({ priority: 50 }).enqueue('high'))
      const failed = await inside(() => failing.enqueue())
      const enqueuedAt = low.enqueuedAt?.getTime()
      await runUntilEmpty({ backend: 'fast', queues: '*', concurrency: 1 })
      expect((await failed.refresh()).status).toBe('FAILED')
      await low.refresh()
      expect([low.priority, low.status]).toEqual([-5, 'SUCCESSFUL'])
      expect((await high.refresh()).priority).toBe(50)
      expect(Math.abs((low.enqueuedAt?.getTime() ?? 0) - (enqueuedAt ?? 0))).toBeLessThan(2)
    })

    it('that are due later wait in the table until then', async () => {
      const runAfter = new Date(Date.now() + HOUR_MS)
      const later = await inside(() => note.using({ runAfter }).enqueue('later'))
      await drain()
      expect([runs, await table().count()]).toEqual([[], 1])
      const past = new Date(Date.now() - 1_000)
      await table().update({ id: later.id }, { runAfter: past })
      await drain()
      expect(runs).toEqual(['later'])
      await later.refresh()
      expect(Math.abs((later.runAfter?.getTime() ?? 0) - past.getTime())).toBeLessThan(2)
    })

    it('of a lost relay move when its lease has ended, and a job that is there already is not added twice', async () => {
      const lost = await inside(() => note.enqueue('lost'))
      await drain()
      expect(runs).toEqual(['lost'])
      // It was lost after it had added the job.
      await table().insert({
        ...row(lost.id, 'lost'),
        status: 'RUNNING',
        claims: 1,
        workerIds: ['relay-lost'],
        leaseUntil: new Date(Date.now() - 1_000),
      })
      await drain()
      expect(runs).toEqual(['lost'])
      expect(await table().count()).toBe(0)
    })

    it('are left alone by a worker of the Database backend, though they are in its table', async () => {
      await inside(() => note.enqueue('ours'))
      await runUntilEmpty({ queues: '*' })
      expect([runs, await table().count()]).toEqual([[], 1])
      await drain()
      expect(runs).toEqual(['ours'])
    })

    it('with a unique key give the one that has it: of the table, and of Redis', async () => {
      const keyed = note.using({ uniqueKey: 'hot' })
      const first = await inside(() => keyed.enqueue('first'))
      const second = await inside(() => keyed.enqueue('second'))
      expect([second.isDuplicate, second.id]).toEqual([true, first.id])
      await drain()
      expect(runs).toEqual(['first'])
      const direct = await keyed.enqueue('direct')
      const third = await inside(() => keyed.enqueue('third'))
      expect([third.isDuplicate, third.id]).toEqual([true, direct.id])
      expect(await table().count()).toBe(0)
      await drain()
      expect(runs).toEqual(['first', 'direct'])
      expect((await inside(() => keyed.enqueue('free'))).isDuplicate).toBe(false)
    })

    it('whose unique key was taken in Redis meanwhile do not run: their result is that of the other', async () => {
      const keyed = note.using({ uniqueKey: 'raced' })
      const row = await inside(() => keyed.enqueue('row'))
      const runAfter = new Date(Date.now() + HOUR_MS)
      const direct = await unseen(row, () => keyed.using({ runAfter }).enqueue('direct'))
      expect(direct.isDuplicate).toBe(false)
      await drain()
      expect([runs, await table().count()]).toEqual([[], 0])
      await row.refresh()
      expect([row.id, row.args, row.status]).toEqual([direct.id, ['direct'], 'READY'])
    })

    it('with a throttle hold it also when they have moved', async () => {
      const first = await inside(() => throttled.enqueue('first'))
      await drain()
      const second = await inside(() => throttled.enqueue('second'))
      const direct = await throttled.enqueue('direct')
      expect([second.id, direct.id]).toEqual([first.id, first.id])
      expect(runs).toEqual(['first'])
    })

    it('with a throttle of the call hold it as long as that says, though the task has none', async () => {
      const calls = note.using({ throttle: { every: HOUR_MS, key: 'of the call' } })
      const first = await inside(() => calls.enqueue('first'))
      await drain()
      const [second, direct] = [
        await inside(() => calls.enqueue('second')),
        await calls.enqueue('direct'),
      ]
      expect([second.id, direct.id]).toEqual([first.id, first.id])
      expect([second.isDuplicate, direct.isDuplicate]).toEqual([true, true])
      await drain()
      expect(runs).toEqual(['first'])
    })

    it('with a throttle of the call that was taken in Redis meanwhile do not run', async () => {
      const calls = note.using({ throttle: { every: HOUR_MS, key: 'raced' } })
      const row = await inside(() => calls.enqueue('row'))
      const direct = await unseen(row, async () => {
        const result = await calls.enqueue('direct')
        await drain()
        return result
      })
      await drain()
      expect([runs, await table().count()]).toEqual([['direct'], 0])
      expect((await row.refresh()).id).toBe(direct.id)
    })

    it('with a debounce are one row, due after the last call', async () => {
      const debounced = note.using({ debounce: { wait: 200, key: 'slow' } })
      await inside(() => debounced.enqueue('first'))
      await inside(() => debounced.enqueue('last'))
      expect(await table().count()).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 300))
      await drain()
      expect(runs).toEqual(['last'])
    })

    it('many in one call are all or none', async () => {
      const many = Array.from({ length: 600 }, (_, i): [string] => [`many ${i}`])
      await inside(() => note.enqueueMany(many))
      const failed = inside(async () => {
        await note.enqueueMany([['never']])
        throw new Error('rolled back')
      })
      await expect(failed).rejects.toThrow('rolled back')
      expect(await table().count()).toBe(600)
      await drain()
      expect(runs.toSorted()).toEqual(many.map(([name]) => name).toSorted())
    })

    it('are pruned from the table when they are FAILED there', async () => {
      const result = await inside(() => note.enqueue('cancelled'))
      await backend().cancel(result)
      const store = await backend().openStore({})
      const query = { queues: null, minAge: 0, failedMinAge: 0 }
      expect(await store.prune({ ...query, dryRun: true })).toBe(1)
      expect(await store.prune({ ...query, dryRun: false })).toBe(1)
      await store.close()
      expect(await table().count()).toBe(0)
    })

    it('a flow in a transaction is refused, and one outside is not', async () => {
      const flow = () => note.order('one').next(() => note.order('two'))
      const refused = inside(() => flow().enqueue())
      await expect(refused).rejects.toThrow(NotSupportedError)
      await expect(refused).rejects.toThrow('cannot enqueue a flow in a transaction')
    })

    it('a transactional task is refused, with a way out', () => {
      const definition = () =>
        task('relay.transactional', () => {}, { ...USING, transactional: true })
      expect(definition).toThrow('has no database to run it in a transaction of')
    })

    it('keepResults below an hour is refused with a dataSource', () => {
      expect(() => configure({ keepResults: 60_000 })).toThrow(InvalidSettingsError)
      expect(() => configure({ keepResults: 60_000 })).toThrow('for an hour at least, got 60000 ms')
      expect(() => task('relay.short', () => {}, { ...USING, keepResults: 1_000 })).toThrow(
        'results are kept for an hour at least',
      )
      expect(() => configure({ keepResults: 60_000, dataSource: undefined })).not.toThrow()
    })

    it('without a dataSource a manager is refused, with a way out', async () => {
      configure({ dataSource: undefined })
      const refused = dataSource.transaction((manager) => note.using({ manager }).enqueue('no'))
      await expect(refused).rejects.toThrow('name no dataSource')
    })

    it('an enqueue in a transaction needs no Redis, and one outside fails clearly', async () => {
      await backend().close()
      configure({ connection: 'redis://127.0.0.1:1' })
      const result = await inside(() => note.using({ uniqueKey: 'away' }).enqueue('away'))
      expect((await result.refresh()).status).toBe('READY')
      await expect(note.enqueue('direct')).rejects.toThrow(/Redis/)
      await backend().close()
      configure({})
      await drain()
      expect(runs).toEqual(['away'])
    })

    it('nothing of the keys of a relay stays in Redis for rows that have become jobs', async () => {
      await inside(() => note.enqueue('one'))
      await drain()
      const redis = new Redis(redisUrl())
      expect(await redis.keys(`${prefix}::stands:*`)).toEqual([])
      redis.disconnect()
    })

    function row(id: string, name: string) {
      return {
        id,
        priority: 0,
        taskPath: note.name,
        queueName: 'mail',
        backendName: 'fast',
        argsKwargs: { args: [name], kwargs: {} },
        enqueuedAt: new Date(),
        runAfter: new Date(0),
        exceptionClassPath: '',
        traceback: '',
      }
    }
  })
})
