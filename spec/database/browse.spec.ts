import type { DataSource } from 'typeorm'
import { atomic, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dashed, PARKED_UNTIL } from '#formats'
import { DatabaseRows } from '../contract/database-rows'
import { describeEachDatabase } from '../support/databases'
import { type DjangoInsert, djangoRow, djangosTable, insertAsDjango } from '../support/django-table'

describeEachDatabase((database) => {
  const backendOn = (dataSource: DataSource): DatabaseBackend =>
    new DatabaseBackend('default', { queues: [], options: { dataSource } })

  describe('a table that Django made, whose ids are in no order', () => {
    let backend: DatabaseBackend
    let newestFirst: string[]

    beforeAll(async () => {
      const dataSource = await djangosTable(database, { ordering: true })
      // Three of them within one millisecond, two of these at the same microsecond.
      const times = ['01.000000', '02.000001', '02.000002', '02.000002', '03.500000']
      const rows = times.map((time) =>
        djangoRow(database.name, { enqueued_at: `2026-11-20 00:00:${time}` }),
      )
      await insertAsDjango(dataSource, database.name, ...rows.toReversed())
      backend = backendOn(dataSource)
      newestFirst = rows
        .toSorted(byTimeAndId)
        .toReversed()
        .map(({ id }) => dashed(id))
    })

    it('is listed by the time of the enqueue', async () => {
      expect((await backend.list({ limit: 10 })).map(({ id }) => id)).toEqual(newestFirst)
    })

    it('is listed in pages without a gap, also between rows of one millisecond', async () => {
      const found: string[] = []
      for (let page = await backend.list({ limit: 1 }); page.length > 0;) {
        found.push(...page.map(({ id }) => id))
        page = await backend.list({ limit: 1, before: found.at(-1)! })
      }

      expect(found).toEqual(newestFirst)
    })

    it('is listed within its newest rows, by the time of the enqueue', async () => {
      const query = { limit: 10, within: 2, status: 'READY' as const }
      expect((await backend.list(query)).map(({ id }) => id)).toEqual(newestFirst.slice(0, 2))
      const next = await backend.list({ ...query, before: newestFirst[1]! })
      expect(next.map(({ id }) => id)).toEqual(newestFirst.slice(2, 4))
    })
  })

  describe('our own table', () => {
    let dataSource: DataSource
    let rows: DatabaseRows

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      rows = new DatabaseRows(dataSource)
    })
    afterEach(() => rows.clear())

    it('is listed with the entity of each row, as the repository gives it', async () => {
      const [id] = await rows.add({ uniqueKey: 'f:one', options: { maxAge: 5 }, claims: 3 })

      const [result] = await backendOn(dataSource).list({ limit: 1 })

      expect(result!.dbResult).toEqual(await rows.get(id!))
      expect(result!.toJSON()).toEqual((await backendOn(dataSource).getResult(id!)).toJSON())
    })

    it('a list within the newest rows has the same entities, however many they are', async () => {
      const ids = [...(await rows.addMany(550)), ...(await rows.addMany(550))]
      const backend = backendOn(dataSource)

      const [all, within] = [{}, { within: 1_050 }].map((query) =>
        backend.list({ limit: 1_040, ...query }),
      )

      expect((await within)!.map(({ id }) => id)).toEqual(ids.toReversed().slice(0, 1_040))
      expect((await within)!.map(({ dbResult }) => dbResult)).toEqual(
        (await all)!.map(({ dbResult }) => dbResult),
      )
    })

    it('lists what waits for others of its flow, alone and among all that is READY', async () => {
      const [waiting, ready] = await rows.add({ runAfter: PARKED_UNTIL }, {}, { status: 'RUNNING' })
      const backend = backendOn(dataSource)
      const ids = async (status: 'READY' | 'WAITING', within?: number) =>
        (await backend.list({ limit: 5, status, within })).map(({ id }) => id)

      expect(await ids('WAITING')).toEqual([waiting])
      expect(await ids('WAITING', 3)).toEqual([waiting])
      expect(await ids('WAITING', 2)).toEqual([])
      expect(await ids('READY')).toEqual([ready, waiting])
    })

    it('lets a task be retried within a transaction, which may be rolled back', async () => {
      const [id] = await rows.add({ status: 'FAILED', exceptionClassPath: 'E', traceback: 'E\n' })
      const backend = backendOn(dataSource)

      await expect(
        atomic(dataSource, async () => {
          await backend.retry(id!)
          throw new Error('rolled back')
        }),
      ).rejects.toThrow('rolled back')

      expect(await rows.get(id!)).toMatchObject({ status: 'FAILED', exceptionClassPath: 'E' })
    })

    it('keeps one error for each failure, however many retry at once', async () => {
      const [id] = await rows.add({ status: 'FAILED', exceptionClassPath: 'E', traceback: 'E\n' })

      const tries = await Promise.allSettled(
        Array.from({ length: 4 }, () => backendOn(dataSource).retry(id!)),
      )

      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await rows.get(id!)).toMatchObject({
        status: 'READY',
        attemptErrors: [{ exceptionClassPath: 'E', traceback: 'E\n' }],
      })
    })
  })
})

function byTimeAndId(a: DjangoInsert, b: DjangoInsert): number {
  return a.enqueued_at.localeCompare(b.enqueued_at) || a.id.localeCompare(b.id)
}
