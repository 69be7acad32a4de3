import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { type DataSource, In } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker, task } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { dashed } from '#formats'
import type { Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { claim, idsOf } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { addRows } from '../support/many-rows'
import { catchLog } from '../support/tasks'

/** How long each run takes, in milliseconds; the first ones of a worker are quick. */
const work = task('spec.fairness', (ms: number) => (ms > 0 ? sleep(ms) : undefined))

const HOUR = 3_600_000

describeEachDatabase(({ name, connect }) => {
  let dataSource: DataSource
  let rows: DatabaseRows
  const stores: Store[] = []

  beforeAll(async () => {
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    rows = new DatabaseRows(dataSource)
    configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
    catchLog()
  })
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close()
    await rows.clear()
  })

  async function open(): Promise<Store> {
    const store = await new DatabaseBackend('default', {
      queues: [],
      options: { dataSource },
    }).openStore({})
    stores.push(store)
    return store
  }

  it('a worker of several queues takes the tasks of all of them in one order: priority, then due ones, then when they were enqueued', async () => {
    const at = (ms: number): Date => new Date(Date.now() - HOUR + ms)
    const wanted = await rows.add(
      { priority: 7, queueName: 'mail', enqueuedAt: at(90) },
      { priority: 7, queueName: 'bulk', enqueuedAt: at(91) },
      { priority: 0, queueName: 'bulk', runAfter: at(10), enqueuedAt: at(80) },
      { priority: 0, queueName: 'mail', runAfter: at(20), enqueuedAt: at(70) },
      { priority: 0, queueName: 'mail', enqueuedAt: at(1) },
      { priority: 0, queueName: 'bulk', enqueuedAt: at(2) },
      { priority: 0, queueName: 'mail', enqueuedAt: at(3) },
      { priority: -3, queueName: 'mail', runAfter: at(0), enqueuedAt: at(0) },
    )
    await rows.add({ priority: 9, queueName: 'others', enqueuedAt: at(0) })
    const store = await open()

    const taken: string[] = []
    for (let i = 0; i < 4; i++)
      taken.push(...idsOf(await claim(store, 2, { queues: ['bulk', 'mail'] })))

    expect(taken).toEqual(wanted)
    expect((await claim(store, 2, { queues: ['bulk', 'mail'] })).claimed).toEqual([])
  })

  it("one queue's backlog does not stand before another's worker", async () => {
    await addRows(dataSource, name, { from: 1, count: 20_000, queue: 'bulk' })
    const mail = await rows.add({ queueName: 'mail' }, { queueName: 'mail' })
    const store = await open()

    expect(idsOf(await claim(store, 10, { queues: ['mail'] })).toSorted()).toEqual(mail.toSorted())
    // Nor does it keep one of both queues from what is due before it.
    const [urgent] = await rows.add({ queueName: 'mail', priority: 1 })
    expect(idsOf(await claim(store, 1, { queues: ['bulk', 'mail'] }))).toEqual([urgent])
  })

  it('rows for tomorrow of a higher priority hold up none of a lower one', async () => {
    await addRows(dataSource, name, { from: 1, count: 20_000, runAfter: 'tomorrow', priority: 5 })
    await addRows(dataSource, name, { from: 20_001, count: 20_000, runAfter: 'tomorrow' })
    const due = await rows.add({ runAfter: new Date(Date.now() - HOUR) }, {}, { priority: -100 })

    expect(idsOf(await claim(await open(), 10))).toEqual(due)
  })

  it('what is due of a lower priority is next as soon as nothing higher is READY, also while more of that is at work', async () => {
    const [low] = await rows.add({ priority: -5 })
    const high = await rows.addMany(3)
    const store = await open()

    expect(idsOf(await claim(store, 3)).toSorted()).toEqual(high.toSorted())
    expect(idsOf(await claim(store, 1))).toEqual([low])
  })

  if (name !== 'sqlite')
    it('workers of two queues hold up neither each other nor what is theirs', async () => {
      await addRows(dataSource, name, { from: 1, count: 400 })
      const taken = { default: [] as string[], mail: [] as string[] }
      const drain = async (queue: 'default' | 'mail', store: Store): Promise<void> => {
        while (taken[queue].length < 200) {
          const { claimed } = await claim(store, 20, { workerId: queue, queues: [queue] })
          expect(claimed.length).toBeGreaterThan(0)
          taken[queue].push(...claimed.map(({ values }) => values.id))
        }
      }
      await Promise.all([drain('default', await open()), drain('mail', await open())])

      expect(new Set([...taken.default, ...taken.mail]).size).toBe(400)
      expect(
        await dataSource
          .getRepository(DBTaskResult)
          .countBy({ id: In(taken.mail), queueName: 'mail' }),
      ).toBe(200)
    }, 30_000)

  if (name !== 'sqlite')
    it('a claim passes over rows that somebody else has locked, and takes the next', async () => {
      await addRows(dataSource, name, { from: 1, count: 4_000 })
      // Few, so that the database looks them up and locks no others.
      const locked = Array.from({ length: 20 }, (_, i) =>
        dashed(`00000000000070008000${(i + 1).toString(16).padStart(12, '0')}`),
      )
      const store = await open()
      await dataSource.transaction(async (manager) => {
        await manager.find(DBTaskResult, {
          where: { id: In(locked) },
          lock: { mode: 'pessimistic_write' },
        })
        const started = performance.now()
        const ids = idsOf(await claim(store, 50, { queues: ['mail'] }))
        expect(ids).toHaveLength(50)
        expect(ids.filter((id) => locked.includes(id))).toEqual([])
        expect(performance.now() - started).toBeLessThan(1_000)
      })
    }, 30_000)

  it('a drain leaves room for what else its process does, such as hearing of a stop', async () => {
    let ran = 0
    const counted = task('spec.fairness.counted', () => void ran++)
    await counted.enqueueMany(Array.from({ length: 20_000 }, (): [] => []))
    const worker = await startWorker({ startupDelay: 0, queues: '*' })

    let atOnce = 0
    for (let before = 0; ran < 15_000; before = ran) {
      await turn()
      atOnce = Math.max(atOnce, ran - before)
    }
    await worker.stop()

    expect(atOnce).toBeLessThan(2_000) // what is at hand at most is 1,610
    expect(ran).toBeLessThan(20_000)
    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'READY' })).toBe(
      20_000 - ran,
    )
  }, 30_000)

  it('an urgent task waits for what runs, not for what was claimed ahead', async () => {
    await work
      .using({ priority: -1 })
      .enqueueMany([
        ...Array.from({ length: 300 }, (): [number] => [0]),
        ...Array.from({ length: 60 }, (): [number] => [400]),
      ])
    const worker = await startWorker({ concurrency: 1, startupDelay: 0, queues: '*' })
    try {
      // By now the slow ones are at its hand, claimed at the pace of the quick ones.
      await until(
        async () =>
          (await dataSource.getRepository(DBTaskResult).countBy({ status: 'SUCCESSFUL' })) >= 301,
      )
      const urgent = await work.using({ priority: 10 }).enqueue(0)
      await urgent.wait({ timeout: 15_000 })

      // A look each half second, for what has waited for one; then the run that is under way.
      expect(urgent.startedAt!.getTime() - urgent.enqueuedAt!.getTime()).toBeLessThan(3_500)
      expect(
        await dataSource.getRepository(DBTaskResult).countBy({ status: 'SUCCESSFUL' }),
      ).toBeLessThan(320)
    } finally {
      await dataSource.getRepository(DBTaskResult).delete({ status: 'READY' })
      await worker.stop()
      await worker.finished
    }
  }, 60_000)
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20)
}
