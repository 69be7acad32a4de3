import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import type { ClaimedRow, Outcome, Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { claim, rescue, claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const MB = 1_000_000
/** What a claim brings at most, in megabytes: 32 MiB and one row. */
const AT_HAND = 35

const weigh = task('innocents.weigh', async (text: string) => text.length)

describeEachDatabase((database) => {
  const { name } = database
  let dataSource: DataSource
  let rows: DatabaseRows
  let store: Store

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    rows = new DatabaseRows(dataSource)
    configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  })
  beforeEach(async () => {
    catchLog()
    await rows.clear()
    store = await new DatabaseBackend('default', {
      queues: [],
      options: { dataSource },
    }).openStore({})
  })
  afterEach(() => store.close())

  it('a claim stops at so many bytes, the best rows first, and gives the others back unharmed', async () => {
    const argsKwargs = { args: ['x'.repeat(MB)], kwargs: {} }
    const small = await rows.addMany(5)
    const large: string[] = []
    for (let i = 0; i < 50; i++)
      large.push(...(await rows.add({ argsKwargs, priority: i === 49 ? 1 : 0 })))

    const { claimed } = await claim(store, 100)

    const ids = claimed.map(({ values }) => values.id)
    expect(ids).toEqual(expect.arrayContaining(small))
    expect(ids[0]).toBe(large.at(-1))
    const mine = claimed.filter(({ values }) => large.includes(values.id))
    expect(mine.length).toBeGreaterThan(20)
    expect(mine.length).toBeLessThan(AT_HAND)
    expect(mine.map(({ values, malformed }) => [String(values.args[0]).length, malformed])).toEqual(
      mine.map(() => [MB, null]),
    )
    const others = await dataSource.getRepository(DBTaskResult).findBy({ status: 'READY' })
    expect(others).toHaveLength(55 - claimed.length)
    expect(new Set(others.map(({ workerIds }) => workerIds.length))).toEqual(new Set([0]))
  }, 60_000)

  it('a row that is larger than that by itself is run', async () => {
    // As no packet of MariaDB bears more.
    const size = name === 'mariadb' ? 10 : 34
    await rows.add({ argsKwargs: { args: ['x'.repeat(size * MB)], kwargs: {} } })

    const { claimed } = await claim(store, 10)

    expect(claimed.map(({ values }) => String(values.args[0]).length)).toEqual([size * MB])
  }, 60_000)

  it('all large tasks are run once each, however many may run at once', async () => {
    await weigh.enqueueMany(Array.from({ length: 80 }, (): [string] => ['x'.repeat(MB)]))

    const worker = await startWorker({ batch: true, concurrency: 80 })
    const { started } = await worker.finished

    expect(started).toBe(80)
    const done = await dataSource.getRepository(DBTaskResult).find()
    expect(done.map(({ status, returnValue }) => [status, returnValue])).toEqual(
      done.map(() => ['SUCCESSFUL', MB]),
    )
  }, 60_000)

  // What PostgreSQL's column takes can always be added to.
  if (name !== 'postgres')
    it('a row whose earlier errors are no JSON does not keep those beside it from a rescue', async () => {
      const ids = await rows.addMany(4)
      await claim(store, 4)
      for (const id of ids) await rows.expire(id)
      const [guilty = '', ...innocents] = ids
      await rows.tamper(guilty, { attempt_errors: 'garbage' })

      const { released, failed } = await rescue(store)

      expect([released.toSorted(), failed]).toEqual([innocents.toSorted(), [guilty]])
      expect(await rows.get(guilty)).toMatchObject({
        status: 'FAILED',
        exceptionClassPath: 'typeorm_tasks.MalformedRowError',
      })
    })

  it('a row that cannot be given back does not keep those beside it', async () => {
    const lines = catchLog()
    const ids = await rows.addMany(4)
    const { claimed } = await claim(store, 4)
    const [guilty = '', ...innocents] = ids
    await rows.tamper(guilty, { worker_ids: name === 'postgres' ? '1' : 'garbage' })

    expect(await store.release(claimed)).toBe(3)

    for (const id of innocents) expect((await rows.get(id)).status).toBe('READY')
    expect(lines).toEqual([['error', expect.stringContaining('cannot be given back')]])
  })

  if (name !== 'sqlite') {
    it('a locked row does not keep those beside it from being given back or rescued, and is when it is free', async () => {
      const ids = await rows.addMany(8)
      const { claimed } = await claim(store, 8)
      const [locked = '', ...others] = ids
      const mine = claimed.filter(({ values }) => ids.slice(0, 4).includes(values.id))
      for (const id of ids.slice(4)) await rows.expire(id)
      let giving: Promise<number> | undefined

      await rows.whileLocked(locked, async () => {
        giving = store.release(mine)
        expect((await rescue(store)).released.toSorted()).toEqual(ids.slice(4).toSorted())
        await until(async () => (await readyOf(others)).length === 7)
        expect((await rows.get(locked)).status).toBe('RUNNING')
      })

      expect(await giving).toBe(4)
      expect((await rows.get(locked)).workerIds).toEqual([])
    })

    it('of outcomes one that is locked is to come later, at once from the second time on', async () => {
      const [locked = '', ...others] = await rows.addMany(8)
      const { claimed } = await claim(store, 8)
      const outcomes = claimed.map(success)
      const isLocked = (i: number): boolean => claimed[i]!.values.id === locked

      await rows.whileLocked(locked, async () => {
        const { answers } = await store.exchange(outcomes, 0, claimFilter())
        expect(answers).toEqual(claimed.map((_, i) => (isLocked(i) ? 'later' : 'kept')))
        const begun = performance.now()
        const again = outcomes.filter((_, i) => isLocked(i))
        for (let i = 0; i < 4; i++)
          expect((await store.exchange(again, 0, claimFilter())).answers).toEqual(['later'])
        // Four times the time that a statement waits for a lock.
        expect(performance.now() - begun).toBeLessThan(3_000)
      })

      const again = await store.exchange(outcomes, 0, claimFilter())
      expect(again.answers).toEqual(claimed.map(() => 'kept'))
      expect(others).toHaveLength(7)
    })

    it('F40 of a row that stays locked, renewals and notes wait once, so that none of them keeps the other rows from the next', async () => {
      const [locked = ''] = await rows.addMany(3)
      const { claimed } = await claim(store, 3)
      const notes = claimed.map(({ key, claims }) => ({ key, claims, progress: '{}' }))
      const others = claimed.filter(({ values }) => values.id !== locked)
      const timed = async (work: () => Promise<unknown>): Promise<number> => {
        const begunAt = performance.now()
        await work()
        return performance.now() - begunAt
      }

      await rows.whileLocked(locked, async () => {
        const first = await timed(() => store.renew(claimed))
        const further = await timed(async () => {
          for (let i = 0; i < 3; i++) {
            const { lost, unknown } = await store.renew(claimed)
            expect([lost, unknown]).toEqual([
              [],
              [expect.objectContaining({ key: rows.key(locked) })],
            ])
            const { later, refused } = await store.report(notes)
            expect([later.length, refused]).toEqual([1, []])
          }
        })
        expect(further).toBeLessThan(first)
      })

      expect((await store.renew(claimed)).unknown).toEqual([])
      for (const { values } of others) expect((await rows.get(values.id)).progress).toEqual({})
    })

    it('a row that is gone while others are locked is refused', async () => {
      const [locked = '', gone = ''] = await rows.addMany(8)
      const { claimed } = await claim(store, 8)
      await dataSource.getRepository(DBTaskResult).delete({ id: gone })

      await rows.whileLocked(locked, async () => {
        const { answers } = await store.exchange(claimed.map(success), 0, claimFilter())
        expect(answers).toEqual(
          claimed.map(({ values: { id } }) =>
            id === locked ? 'later' : id === gone ? 'refused' : 'kept',
          ),
        )
      })
    })
  }

  async function readyOf(ids: readonly string[]): Promise<string[]> {
    const all = await Promise.all(ids.map((id) => rows.get(id)))
    return all.filter(({ status }) => status === 'READY').map(({ id }) => id)
  }
})

function success({ key, claims }: ClaimedRow): Outcome {
  return { key, claims, status: 'SUCCESSFUL', returnValue: '1' }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await isSo())) if (performance.now() > deadline) throw new Error('It has not become so.')
}
