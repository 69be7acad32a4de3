import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker, task, type TaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const HOUR_MS = 3_600_000
const PRODUCERS = 20
const CALLS = 40

const sync = task('keys.sync', (value: number) => value)
const other = task('keys.other', (value: number) => value)
const ran = new Map<string, number>()
const index = task('keys.index', (key: string, value: number) => void ran.set(key, value), {
  debounce: { key: (key: string) => `index-${key}`, wait: 20, atMost: 200 },
})

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  afterEach(() => rows().clear())

  const rows = () => dataSource.getRepository(DBTaskResult)
  const stored = async ({ id }: { id: string }): Promise<DBTaskResult> =>
    rows().findOneByOrFail({ id })
  const backend = () => new DatabaseBackend('default', { queues: [], options: { dataSource } })

  /** What a worker does that takes the row. */
  async function claimed(): Promise<number> {
    const store = await backend().openStore({})
    const filter = { workerId: 'spec', queues: null, excludeQueues: [] }
    const { claimed: taken } = await store.exchange([], 10, filter)
    await store.close()
    return taken.length
  }

  describe('throttle', () => {
    const once = (value: number, every = HOUR_MS): Promise<TaskResult<number>> =>
      sync.using({ throttle: { key: 'sync', every } }).enqueue(value)

    it('gives the first within its time, also if that runs or has finished, and then a new one', async () => {
      const first = await once(1)
      const second = await once(2)
      await rows().update({ id: first.id }, { status: 'SUCCESSFUL' })
      const third = await once(3)
      await rows().update({ id: first.id }, { enqueuedAt: new Date(Date.now() - 2 * HOUR_MS) })
      const fourth = await once(4)

      expect([first, second, third, fourth].map(({ isDuplicate }) => isDuplicate)).toEqual([
        false,
        true,
        true,
        false,
      ])
      expect([second.id, third.id]).toEqual([first.id, first.id])
      expect(third.status).toBe('SUCCESSFUL')
      expect(fourth.args).toEqual([4])
      expect(await rows().count()).toBe(2)
    })

    it('what waits or runs counts, however old it is', async () => {
      const first = await once(1)
      await rows().update({ id: first.id }, { enqueuedAt: new Date(Date.now() - 2 * HOUR_MS) })

      expect((await once(2)).id).toBe(first.id)
      await rows().update({ id: first.id }, { status: 'RUNNING' })
      expect((await once(3)).id).toBe(first.id)
    })

    it('its time is that of the database', async () => {
      const { id } = await once(1)
      await rows().update({ id }, { status: 'SUCCESSFUL' })
      const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * HOUR_MS)
      const second = await once(2).finally(() => clock.mockRestore())

      expect(second.isDuplicate).toBe(true)
    })

    it('many at once are one', async () => {
      const results = await Promise.all(Array.from({ length: 30 }, (_, i) => once(i)))

      expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      expect(results.filter(({ isDuplicate }) => !isDuplicate)).toHaveLength(1)
    })

    it('calls of one enqueueMany with the same key are the first of them', async () => {
      const keyed = sync.using({ throttle: { key: (value: number) => `k${value % 2}`, every: 1 } })
      const results = await keyed.enqueueMany([[1], [2], [3], [4]])

      expect(results.map(({ args }) => args[0])).toEqual([1, 2, 1, 2])
      expect(results.map(({ isDuplicate }) => isDuplicate)).toEqual([false, false, true, true])
    })
  })

  describe('debounce', () => {
    const quiet = (
      value: number,
      times: { wait: number; atMost?: number } = { wait: HOUR_MS },
    ): Promise<TaskResult<number>> =>
      sync.using({ debounce: { key: 'quiet', ...times } }).enqueue(value)
    const delayOf = async (result: { id: string }): Promise<number> => {
      const { enqueuedAt, runAfter } = await stored(result)
      return runAfter!.getTime() - enqueuedAt.getTime()
    }

    it('a call that meets a waiting one gives it its arguments and has it wait anew', async () => {
      const first = await quiet(1)
      expect(await delayOf(first)).toBeCloseTo(HOUR_MS, -2)
      expect(first.runAfter?.getTime()).toBe((await stored(first)).runAfter?.getTime())

      const second = await quiet(2, { wait: 2 * HOUR_MS })
      expect(second).toMatchObject({ id: first.id, args: [2], isDuplicate: true })
      expect(await delayOf(first)).toBeGreaterThanOrEqual(2 * HOUR_MS)

      await quiet(3, { wait: HOUR_MS, atMost: HOUR_MS })
      expect(await delayOf(first)).toBe(HOUR_MS)
      expect((await stored(first)).argsKwargs).toMatchObject({ args: [3] })
      expect(await rows().count()).toBe(1)
    })

    it('its times are those of the database', async () => {
      const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 5 * HOUR_MS)
      const first = await quiet(1).finally(() => clock.mockRestore())
      expect(await delayOf(first)).toBeCloseTo(HOUR_MS, -2)
    })

    it('once it is claimed, a call makes a new one', async () => {
      const first = await quiet(1, { wait: 1 })
      while ((await claimed()) === 0);
      expect((await stored(first)).uniqueKey).toBeNull()

      const second = await quiet(2)
      expect([second.isDuplicate, second.id === first.id]).toEqual([false, false])
    })

    it.each(['FAILED', 'RUNNING'] as const)(
      'a %s row that has kept its key, as of another worker, is in nobody’s way',
      async (status) => {
        const first = await quiet(1)
        await rows().update({ id: first.id }, { status })

        const second = await quiet(2)
        expect([second.isDuplicate, second.args]).toEqual([false, [2]])
        expect((await stored(first)).uniqueKey).toBeNull()
      },
    )

    it('what a transaction changes and takes back is not changed', async () => {
      const first = await quiet(1)
      await dataSource
        .transaction(async (manager) => {
          await sync.using({ manager, debounce: { key: 'quiet', wait: 1 } }).enqueue(2)
          throw new Error('taken back')
        })
        .catch(() => {})

      const { argsKwargs } = await stored(first)
      expect([argsKwargs, await delayOf(first)]).toEqual([
        { args: [1], kwargs: {} },
        expect.closeTo(HOUR_MS, -2),
      ])
    })

    it('calls of one enqueueMany with the same key are the last of them', async () => {
      const keyed = sync.using({ debounce: { key: 'quiet', wait: HOUR_MS } })
      const results = await keyed.enqueueMany([[1], [2], [3]])

      expect(results.map(({ args }) => args[0])).toEqual([3, 3, 3])
      expect(results.map(({ isDuplicate }) => isDuplicate)).toEqual([false, true, true])
      const mixed = await sync
        .using({ debounce: { key: (value: number) => `k${value % 2}`, wait: HOUR_MS } })
        .enqueueMany([[1], [2], [3], [4], [5]])
      expect(mixed.map(({ args }) => args[0])).toEqual([5, 4, 5, 4, 5])
      expect(mixed.map(({ isDuplicate }) => isDuplicate)).toEqual([false, false, true, true, true])
    })

    it('another task cannot have the key', async () => {
      await quiet(1)
      const taken = other.using({ debounce: { key: 'quiet', wait: 1 } }).enqueue(1)
      await expect(taken).rejects.toThrow(/debounce key "quiet" is held by task "keys.sync"/)
    })

    it(`of ${CALLS} calls of each of ${PRODUCERS} producers beside four workers the last one runs`, async () => {
      const workers = await Promise.all(
        Array.from({ length: 4 }, () => startWorker({ interval: 10 })),
      )
      const produce = async (key: string): Promise<void> => {
        for (let i = 1; i <= CALLS; i++) await index.enqueue(key, i)
      }
      const keys = Array.from({ length: PRODUCERS }, (_, i) => `${i}`)
      await Promise.all(keys.map(produce))
      const until = Date.now() + 30_000
      while (keys.some((key) => ran.get(key) !== CALLS) && Date.now() < until)
        await new Promise((resolve) => void setTimeout(resolve, 20))
      await Promise.all(workers.map((worker) => worker.stop()))

      expect(keys.filter((key) => ran.get(key) !== CALLS)).toEqual([])
      expect(await rows().countBy({ status: 'FAILED' })).toBe(0)
    }, 60_000)
  })
})
