import type { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult, DBTaskWorker, taskEntities } from '#entities'
import type { Heartbeat, Store } from '#lib/store'
import { workerRecord as record } from '../support/worker-records'
import type { SpecDatabase } from '../support/databases'

const LEASE_MS = 30_000

/** What the table of workers is for, on one kind of database. */
export function heartbeatContract({ connect }: SpecDatabase): void {
  describe('with the table of workers', () => {
    let dataSource: DataSource
    let store: Store
    let heartbeat: Heartbeat

    const workers = () => dataSource.getRepository(DBTaskWorker)
    const backend = (alias = 'default') =>
      new DatabaseBackend(alias, { queues: [], options: { dataSource } })
    /** A record of another worker, not seen for so long. */
    const other = async (id: string, agoMs: number, differently: Partial<DBTaskWorker> = {}) => {
      const { upMs: _, queues, ...rest } = record
      const seenAt = new Date(Date.now() - agoMs)
      const times = { startedAt: seenAt, seenAt, leaseMs: LEASE_MS }
      await workers().insert({
        ...rest,
        queues: [...queues],
        backend: 'default',
        ...times,
        ...differently,
        id,
      })
    }
    const ids = async () => (await workers().find()).map(({ id }) => id).toSorted()

    beforeAll(async () => {
      dataSource = await connect({ entities: taskEntities, synchronize: true })
      store = await backend().openStore({})
      heartbeat = store.heartbeat!
    })
    afterAll(() => store.close())
    beforeEach(() => workers().clear())

    it('a first heartbeat writes the record, and the next ones renew it', async () => {
      expect(await heartbeat.beat(record)).toBe(false)
      const { upMs, ...written } = record
      const [first] = await workers().find()
      expect(first).toEqual({
        ...written,
        backend: 'default',
        leaseMs: LEASE_MS,
        startedAt: expect.any(Date) as Date,
        seenAt: expect.any(Date) as Date,
      })
      const { startedAt, seenAt } = first!
      expect(Math.abs(seenAt.getTime() - Date.now())).toBeLessThan(20_000)
      expect(seenAt.getTime() - startedAt.getTime()).toBe(upMs)

      await workers().update({ id: record.id }, { seenAt: startedAt })
      const later = { running: 0, eventLoopDelayMs: 0, rssMib: 121 }
      await heartbeat.beat({ ...record, ...later, upMs: 100_000 })
      const [second, ...more] = await workers().find()
      expect(more).toEqual([])
      expect(second).toEqual(Object.assign({}, first, later, { seenAt: expect.any(Date) as Date }))
      expect(second!.seenAt.getTime()).toBeGreaterThanOrEqual(seenAt.getTime())
    })

    it('tells whether another worker of the backend was not seen for its lease', async () => {
      await heartbeat.beat(record)
      await other('fresh', LEASE_MS / 2)
      await other('patient', 60_000, { leaseMs: 300_000 })
      await other('elsewhere', 40_000, { backend: 'other' })
      await workers().update({ id: record.id }, { seenAt: new Date(Date.now() - 40_000) })
      expect(await heartbeat.beat(record)).toBe(false)

      await other('gone', 40_000)
      expect(await heartbeat.beat(record)).toBe(true)
      expect(await ids()).toHaveLength(5)
    })

    it('deletes a record on which nothing can depend any more', async () => {
      await other('lately', 3 * LEASE_MS - 10_000)
      await other('long ago', 3 * LEASE_MS + 1_000)
      await other('elsewhere', 4 * LEASE_MS, { backend: 'other' })

      expect(await heartbeat.beat(record)).toBe(true)
      expect(await ids()).toEqual(['elsewhere', 'lately', record.id].toSorted())
    })

    it('deletes the record of a worker that leaves, and of no other', async () => {
      const second = await backend('other').openStore({})
      await Promise.all([heartbeat.beat(record), second.heartbeat!.beat({ ...record, id: 'w-2' })])
      await second.close()

      await heartbeat.leave(record.id)
      expect(await ids()).toEqual(['w-2'])
    })

    it('a table that is listed and missing is told at the start, by check, and by a heartbeat', async () => {
      await dataSource.query('DROP TABLE db_task_worker')
      const missing = {
        message: expect.stringContaining('The table "db_task_worker" does not exist.') as string,
        hint: expect.stringContaining('npx typeorm migration:run') as string,
      }

      await expect(heartbeat.beat(record)).rejects.toMatchObject(missing)
      await expect(backend().openStore({})).rejects.toMatchObject(missing)
      expect(await backend().check()).toContainEqual({ level: 'error', ...missing })
    })
  })

  it('without the table there is no heartbeat', async () => {
    const dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    const store = await new DatabaseBackend('default', {
      queues: [],
      options: { dataSource },
    }).openStore({})

    expect(store.heartbeat).toBeUndefined()
    await store.close()
  })
}
