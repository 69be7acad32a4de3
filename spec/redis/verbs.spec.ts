import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import { NotSupportedError, task } from 'typeorm-tasks'
import { MOST_AHEAD } from '../../lib/browser'
import { add, catchLog, echo, fail } from '../support/tasks'
import { describeOnRedis } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'
import { runUntilEmpty, startWorker } from '#start-worker'

const HOUR_MS = 3_600_000
const unknownId = '01900000-0000-7000-8000-000000000000'
const patient = task(
  'verbs.patient',
  async (context) => {
    await sleep(20_000, undefined, { signal: context.signal, ref: false }).catch(() => {})
    return 'ended'
  },
  { takesContext: true },
)

describeOnRedis('verbs of the backend on Redis', () => {
  const { prefix, redis, backend, another, key } = backendOnRedis()
  const mailed = add.using({ queueName: 'mail' })
  const work = () => runUntilEmpty({ queues: '*' })

  beforeEach(() => void catchLog())

  describe('keys', () => {
    const unique = (value: number) => add.using({ uniqueKey: 'hot' }).enqueue(value)
    const holder = `${prefix}::keys:f:hot`

    it('a key that is left over, of a job that is gone or has finished, is in nobody’s way', async () => {
      await redis.set(holder, unknownId)
      const first = await unique(1)
      expect(first.isDuplicate).toBe(false)

      await work()
      await redis.set(holder, first.id)
      const second = await unique(2)
      expect(second.isDuplicate).toBe(false)
      expect(await redis.get(holder)).toBe(second.id)
    })

    it('a call that meets the holder leaves nothing behind', async () => {
      await unique(1)
      const before = (await redis.keys(`${prefix}:*`)).toSorted()
      await unique(2)

      expect((await redis.keys(`${prefix}:*`)).toSorted()).toEqual(before)
      expect(await redis.zcard(`${prefix}::ids`)).toBe(1)
    })
  })

  describe('cancel', () => {
    it('ends a task wherever it waits, once, from any process', async () => {
      const results = [
        await add.enqueue(1),
        await add.using({ priority: 5 }).enqueue(1),
        await add.using({ priority: -5 }).enqueue(1),
        await add.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1),
      ]
      const cancelled = await Promise.all(results.map((result) => another().cancel(result)))
      const again = await Promise.all(results.map((result) => another().cancel(result)))

      expect([cancelled, again]).toEqual([Array(4).fill(true), Array(4).fill(false)])
      for (const result of results)
        expect(await result.refresh()).toMatchObject({
          status: 'FAILED',
          attempts: 0,
          errors: [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }],
        })
      await work()
      expect(await backend().counts()).toMatchObject({ FAILED: 4, READY: 0, SUCCESSFUL: 0 })
    })

    it('has a task that runs end as cancelled, and no other way', async () => {
      const worker = await startWorker({ queues: '*' })
      const result = await patient.enqueue()
      while ((await result.refresh()).status !== 'RUNNING') await sleep(5)

      expect(await another().cancel(result)).toBe(true)
      await result.wait({ timeout: 15_000 })
      await worker.stop()

      expect(result).toMatchObject({
        status: 'FAILED',
        errors: [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }],
      })
      expect(await another().cancel(result)).toBe(false)
    })

    it('changes nothing of what has finished, or is unknown', async () => {
      const result = await add.enqueue(1)
      await work()

      expect(await backend().cancel(result)).toBe(false)
      expect((await result.refresh()).status).toBe('SUCCESSFUL')
      await redis.del(key('default', result.id))
      expect(await backend().cancel(result)).toBe(false)
    })

    it('what it says of a race is what the task is', async () => {
      const worker = await startWorker({ queues: '*', concurrency: 10, interval: 10 })
      const results = await echo.enqueueMany(Array.from({ length: 200 }, (_, i) => [i]))
      // Each is a connection: with one for each task a busy machine has no time for them.
      const others = Array.from({ length: 10 }, another)
      const told = await Promise.all(
        results.map(async (result, i) => {
          await sleep(i % 20)
          return others[i % others.length]?.cancel(result)
        }),
      )
      for (const result of results) await result.wait({ timeout: 15_000 })
      await worker.stop()

      expect(results.map(({ status }) => status === 'FAILED')).toEqual(told)
    })
  })

  describe('retry', () => {
    it('one error stays for each failure, however many retry at once', async () => {
      const result = await fail.using({ priority: 3 }).enqueue('no')
      await work()

      const tries = await Promise.allSettled(
        Array.from({ length: 4 }, () => another().retry(result.id)),
      )

      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await result.refresh()).toMatchObject({
        status: 'READY',
        priority: 3,
        finishedAt: null,
        errors: [{ exceptionClassPath: 'RangeError' }],
      })
      await work()
      expect(await result.refresh()).toMatchObject({ status: 'FAILED', attempts: 2 })
      expect(result.errors).toHaveLength(2)
    })

    it('one that was delayed is due at once', async () => {
      const result = await add.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1)
      await result.cancel()

      expect((await backend().retry(result.id)).runAfter).toBeNull()
      await work()
      expect((await result.refresh()).returnValue).toBe(11)
    })
  })

  describe('lists', () => {
    it('are in the order of the enqueues, over queues, priorities and states', async () => {
      const made = [
        await add.enqueue(0),
        await mailed.using({ priority: 9 }).enqueue(1),
        await fail.using({ priority: -9 }).enqueue('2'),
      ]
      await work()
      made.push(await add.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(3))
      made.push(await mailed.enqueue(4))
      const places = async (query: object): Promise<number[]> =>
        (await backend().list({ limit: 10, ...query })).map(({ id }) =>
          made.findIndex((each) => each.id === id),
        )

      expect(await places({})).toEqual([4, 3, 2, 1, 0])
      expect(await places({ status: 'READY' })).toEqual([4, 3])
      expect(await places({ status: 'SUCCESSFUL' })).toEqual([1, 0])
      expect(await places({ status: 'FAILED', queues: ['mail'] })).toEqual([])
      expect(await places({ queues: ['mail'], limit: 1 })).toEqual([4])
      expect(await places({ status: 'SUCCESSFUL', before: made[1]?.id })).toEqual([0])
      expect(await places({ status: 'SUCCESSFUL', within: 4 })).toEqual([1])
      expect(await places({ taskName: 'spec.fail' })).toEqual([2])
      expect(await backend().counts({ taskName: 'spec.add' })).toMatchObject({
        READY: 2,
        SUCCESSFUL: 2,
        FAILED: 0,
      })
    })

    it('have many pages without a gap', async () => {
      const ids = (await add.enqueueMany(Array.from({ length: 4_500 }, (_, i) => [i]))).map(
        ({ id }) => id,
      )
      for (const query of [{}, { status: 'READY' as const }, { taskName: 'spec.add' }]) {
        const found: string[] = []
        for (let page = await backend().list({ limit: 1_000, ...query }); page.length > 0;) {
          found.push(...page.map(({ id }) => id))
          page = await backend().list({ limit: 1_000, ...query, before: found.at(-1) })
        }
        expect(found).toEqual(ids.toReversed())
      }
      expect((await backend().counts({ within: 3_000 })).READY).toBe(3_000)
    })

    it('leave out what others have deleted, which is then forgotten', async () => {
      const [gone, left] = [await add.enqueue(1), await add.enqueue(2)]
      await redis.del(key('default', gone.id))
      const old = '01900000-0000-7000-8000-0000000000ff:default'
      await redis.zadd(`${prefix}::ids`, 0, old)

      expect((await backend().list({ limit: 5 })).map(({ id }) => id)).toEqual([left.id])
      expect((await backend().list({ limit: 5, taskName: 'spec.add' })).length).toBe(1)
      expect(await redis.zscore(`${prefix}::ids`, old)).toBeNull()
    })
  })

  describe('how many are ahead', () => {
    const aheadOf = async ({ id }: { id: string }) => another().ahead(await backend().getResult(id))

    it('counts the due tasks of its queue that are taken first', async () => {
      const first = await add.enqueue(1)
      const own = await add.enqueue(2)
      await add.enqueue(3)
      expect([await aheadOf(first), await aheadOf(own)]).toEqual([0, 1])

      const urgent = await add.using({ priority: 5 }).enqueue(1)
      const late = await add.using({ priority: -5 }).enqueue(1)
      await mailed.enqueue(1)
      await add.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1)
      expect(await Promise.all([urgent, own, late].map(aheadOf))).toEqual([0, 2, 4])
    })

    it('is null for a task that is not due or has finished, and stops at the greatest number', async () => {
      const later = await add.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1)
      expect(await aheadOf(later)).toBeNull()
      const done = await add.enqueue(1)
      await work()
      expect(await aheadOf(done)).toBeNull()

      await add.enqueueMany(Array.from({ length: MOST_AHEAD + 20 }, (_, i) => [i]))
      expect(await aheadOf(await add.enqueue(1))).toBe(MOST_AHEAD)
    })
  })

  describe('what it cannot do', () => {
    it('refuses a manager, and tells where the database is named', () => {
      const { manager } = new DataSource({ type: 'better-sqlite3', database: ':memory:' })

      expect(() => add.using({ manager })).toThrow(
        expect.objectContaining({
          name: NotSupportedError.name,
          message: expect.stringContaining('"spec.add" was given a manager') as string,
          hint: expect.stringContaining('OPTIONS.dataSource') as string,
        }),
      )
    })

    it('refuses a task that is transactional', () => {
      expect(() => task('verbs.transactional', () => {}, { transactional: true })).toThrow(
        'Leave transactional out, or use the Database backend.',
      )
    })
  })

  it('tells the time of Redis', async () => {
    const now = await backend().now()
    expect(Math.abs(now.getTime() - Date.now())).toBeLessThan(5_000)
  })

  it('keeps a time that is past already, and has the task wait no longer', async () => {
    const runAfter = new Date(Date.now() - HOUR_MS)
    const result = await add.using({ runAfter }).enqueue(1)

    expect(result.runAfter).toEqual(runAfter)
    expect((await backend().getResult(result.id)).runAfter).toEqual(runAfter)
    await work()
    expect((await result.refresh()).returnValue).toBe(11)
  })

  it('wakes an idle worker of another process', async () => {
    const worker = await startWorker({ queues: '*', interval: 30_000 })
    await sleep(300)
    const result = await add.enqueue(1)

    await expect(result.wait({ timeout: 5_000 })).resolves.toMatchObject({ status: 'SUCCESSFUL' })
    await worker.stop()
  })
})
