import { setTimeout as sleep } from 'node:timers/promises'
import { configureTasks, task, type TaskResult } from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import { catchLog, echo } from '../support/tasks'
import type { BackendPlace } from './backend.contract'

const HOUR_MS = 3_600_000
/** Long enough for a call to come within it on a slow machine. */
const SHORT_MS = 700

const sync = task('keys.sync', (value: number) => value)
const broken = task('keys.broken', (_value: number): never => {
  throw new RangeError('no')
})

/** What keys of calls do on every backend that keeps tasks for a worker. */
export function keysContract({ BACKEND, options, work }: BackendPlace): void {
  beforeEach(() => {
    catchLog()
    configureTasks({ default: { BACKEND, QUEUES: ['default', 'mail'], OPTIONS: options() } })
  })

  const stored = ({ id }: { id: string }) => backends.get('default').getResult(id)
  const count = async (): Promise<number> => {
    const counts = Object.values(await backends.get('default').counts())
    return counts.reduce((sum, each) => sum + each, 0)
  }

  describe('a unique key', () => {
    const unique = (value: number) => sync.using({ uniqueKey: 'hot' }).enqueue(value)

    it('is one for all queues and priorities', async () => {
      const first = await unique(1)
      const elsewhere = sync.using({ uniqueKey: 'hot', queueName: 'mail', priority: 7 })
      const second = await elsewhere.enqueue(2)

      expect([second.id, second.isDuplicate, second.queueName]).toEqual([first.id, true, 'default'])
      expect(await count()).toBe(1)
    })

    it('many at once are one', async () => {
      const results = await Promise.all(Array.from({ length: 30 }, (_, i) => unique(i)))

      expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      expect(results.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1)
      expect(await count()).toBe(1)
    })

    it('is free again however its task has ended', async () => {
      const ids: string[] = []
      ids.push((await unique(1)).id)
      await work()
      const failing = await broken.using({ uniqueKey: 'hot' }).enqueue(2)
      ids.push(failing.id)
      await work()
      const third = await unique(3)
      ids.push(third.id)
      await third.cancel()
      ids.push((await unique(4)).id)

      expect(new Set(ids).size).toBe(4)
    })

    it('calls of one enqueueMany with the same key are the first of them, in order', async () => {
      const keyed = sync.using({ uniqueKey: (value: number) => `k${value % 2}` })
      const results = await keyed.enqueueMany([[1], [2], [3], [4]])

      expect(results.map(({ args }) => args[0])).toEqual([1, 2, 1, 2])
      expect(results.map(({ isDuplicate }) => isDuplicate)).toEqual([false, false, true, true])
      expect(await count()).toBe(2)
    })

    it('of any characters is itself, and no other', async () => {
      const keys = ['a', 'A', 'a:b', 'ä', '{a}', 'a b', '*', '😀']
      const results: TaskResult<number>[] = []
      for (const uniqueKey of keys) results.push(await sync.using({ uniqueKey }).enqueue(1))

      expect(new Set(results.map(({ id }) => id)).size).toBe(keys.length)
    })
  })

  describe('a throttle', () => {
    const once = (value: number, every = HOUR_MS) =>
      sync.using({ throttle: { key: 'sync', every } }).enqueue(value)

    it('gives the first within its time, also if that has finished, and then a new one', async () => {
      const first = await once(1, SHORT_MS)
      const second = await once(2, SHORT_MS)
      await work()
      const third = await once(3)
      await sleep(SHORT_MS + 100)
      const fourth = await once(4, SHORT_MS)

      const all = [first, second, third, fourth]
      expect(all.map(({ isDuplicate }) => isDuplicate)).toEqual([false, true, true, false])
      expect([second.id, third.id]).toEqual([first.id, first.id])
      expect(third.status).toBe('SUCCESSFUL')
      expect(fourth.args).toEqual([4])
    })

    it('what waits counts, however old it is', async () => {
      const first = await once(1, 1)
      await sleep(20)

      expect((await once(2, 1)).id).toBe(first.id)
    })

    it('many at once are one', async () => {
      const results = await Promise.all(Array.from({ length: 30 }, (_, i) => once(i)))

      expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      expect(results.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1)
    })
  })

  describe('a debounce', () => {
    const quiet = (value: number, times: { wait: number; atMost?: number } = { wait: HOUR_MS }) =>
      sync.using({ debounce: { key: 'quiet', ...times } }).enqueue(value)
    const delayOf = async (result: { id: string }): Promise<number> => {
      const { enqueuedAt, runAfter } = await stored(result)
      return (runAfter?.getTime() ?? 0) - (enqueuedAt?.getTime() ?? 0)
    }

    it('a call that meets a waiting one gives it its arguments and has it wait anew', async () => {
      const first = await quiet(1)
      expect(await delayOf(first)).toBeCloseTo(HOUR_MS, -2)
      expect((await stored(first)).runAfter).toEqual(first.runAfter)

      const second = await quiet(2, { wait: 2 * HOUR_MS })
      expect(second).toMatchObject({ id: first.id, args: [2], isDuplicate: true })
      expect(second.toJSON()).toEqual((await stored(first)).toJSON())
      expect(await delayOf(first)).toBeGreaterThanOrEqual(2 * HOUR_MS)

      await quiet(3, { wait: HOUR_MS, atMost: HOUR_MS })
      expect(await delayOf(first)).toBe(HOUR_MS)
      expect((await stored(first)).args).toEqual([3])
      expect(await count()).toBe(1)
    })

    it('runs once it is quiet, with the newest arguments', async () => {
      const first = await quiet(1)
      await quiet(2, { wait: 1 })
      await sleep(50)
      await work()

      expect(await stored(first)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 2 })
    })

    it('what is due and waits still can be had to wait anew', async () => {
      const first = await quiet(1, { wait: 1 })
      await sleep(20)
      await quiet(2)
      await work()

      expect(await stored(first)).toMatchObject({ status: 'READY', args: [2] })
    })

    it('once it is claimed or has ended, a call makes a new one', async () => {
      const first = await quiet(1, { wait: 1 })
      await sleep(50)
      await work()
      const second = await quiet(2)
      await second.cancel()
      const third = await quiet(3)

      expect([second, third].map(({ isDuplicate }) => isDuplicate)).toEqual([false, false])
      expect(new Set([first.id, second.id, third.id]).size).toBe(3)
    })

    it('calls of one enqueueMany with the same key are the last of them', async () => {
      const keyed = sync.using({ debounce: { key: 'quiet', wait: HOUR_MS } })
      const results = await keyed.enqueueMany([[1], [2], [3]])

      expect(results.map(({ args }) => args[0])).toEqual([3, 3, 3])
      expect(results.map(({ isDuplicate }) => isDuplicate)).toEqual([false, true, true])
    })

    it('many at once are one', async () => {
      const results = await Promise.all(Array.from({ length: 30 }, (_, i) => quiet(i)))

      expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      expect(results.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1)
    })

    it('is not for another task', async () => {
      await quiet(1)

      await expect(
        echo.using({ debounce: { key: 'quiet', wait: HOUR_MS } }).enqueue(1),
      ).rejects.toThrow('The debounce key "quiet" is held by task "keys.sync"')
    })
  })
}
