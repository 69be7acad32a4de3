import type { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskQueue, DBTaskResult, taskEntities } from '#entities'
import type { Store } from '#lib/store'
import type { SpecDatabase } from '../support/databases'

/** What the table of queues is for, on one kind of database. */
export function pauseContract({ connect }: SpecDatabase): void {
  describe('with the table of queues', () => {
    let dataSource: DataSource
    let store: Store

    const pauses = () => dataSource.getRepository(DBTaskQueue)
    const backend = (alias = 'default') =>
      new DatabaseBackend(alias, { queues: [], options: { dataSource } })

    beforeAll(async () => {
      dataSource = await connect({ entities: taskEntities, synchronize: true })
      store = await backend().openStore({})
    })
    afterAll(() => store.close())
    beforeEach(() => pauses().clear())

    it('keeps a pause, tells stores of it, replaces it, and ends it', async () => {
      const until = new Date(Date.now() + 3_600_000)
      const first = await backend().pauseQueue('mail', { reason: 'provider down – 障害', until })

      expect(first).toMatchObject({ queue: 'mail', until, reason: 'provider down – 障害' })
      expect(Math.abs(first.at.getTime() - Date.now())).toBeLessThan(20_000)
      expect(await store.pausedQueues?.()).toEqual([first])
      expect(await backend().pausedQueues()).toEqual([first])

      const second = await backend().pauseQueue('mail')
      expect(second).toMatchObject({ until: null, reason: null })
      await backend().pauseQueue('Mail')
      expect((await store.pausedQueues?.())?.toSorted(byName)).toMatchObject([
        { queue: 'Mail' },
        second,
      ])

      expect(await backend().resumeQueue('mail')).toBe(true)
      expect(await backend().resumeQueue('mail')).toBe(false)
      expect(await store.pausedQueues?.()).toMatchObject([{ queue: 'Mail' }])
    })

    it('pauses of other backends are theirs', async () => {
      await backend('other').pauseQueue('mail')

      expect(await store.pausedQueues?.()).toEqual([])
      expect(await backend().resumeQueue('mail')).toBe(false)
      expect(await backend('other').pausedQueues()).toHaveLength(1)
    })

    it('a pause whose end has come is none', async () => {
      const anHourAgo = new Date(Date.now() - 3_600_000)
      await pauses().insert({
        backend: 'default',
        name: 'mail',
        pausedAt: anHourAgo,
        pausedUntil: new Date(Date.now() - 60_000),
        pauseReason: null,
      })

      expect(await store.pausedQueues?.()).toEqual([])
      expect(await backend().resumeQueue('mail')).toBe(false)
    })

    it('many pauses of one queue at once leave one', async () => {
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => backend().pauseQueue('mail', { reason: `no. ${i}` })),
      )

      expect(await store.pausedQueues?.()).toHaveLength(1)
    })

    it('a table that is listed and missing is told at the start, by check, and by each verb', async () => {
      await dataSource.query('DROP TABLE db_task_queue')
      const missing = {
        message: expect.stringContaining('The table "db_task_queue" does not exist.') as string,
        hint: expect.stringContaining('npx typeorm migration:run') as string,
      }

      await expect(store.pausedQueues?.()).rejects.toMatchObject(missing)
      await expect(backend().pauseQueue('mail')).rejects.toMatchObject(missing)
      await expect(backend().resumeQueue('mail')).rejects.toMatchObject(missing)
      await expect(backend().openStore({})).rejects.toMatchObject(missing)
      expect(await backend().check()).toContainEqual({ level: 'error', ...missing })
    })
  })

  it('without the table stores know no pauses', async () => {
    const dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    const options = { dataSource }
    const store = await new DatabaseBackend('default', { queues: [], options }).openStore({})

    expect(store.pausedQueues).toBeUndefined()
    await store.close()
  })
}

function byName(a: { queue: string }, b: { queue: string }): number {
  return a.queue < b.queue ? -1 : 1
}
