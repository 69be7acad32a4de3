import type { DataSource, QueryRunner } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { openBrowserOn } from '../../backends/database/browsing/open-browser'
import { placeOf } from '../../backends/database/place'
import { describeEachDatabase } from '../support/databases'
import { addTimed } from '../support/timed-rows'

const LOCK = {
  postgres: 'LOCK TABLE db_task_result IN ACCESS EXCLUSIVE MODE',
  mariadb: 'LOCK TABLES db_task_result WRITE',
  mysql: 'LOCK TABLES db_task_result WRITE',
}
const UNLOCK = { postgres: 'ROLLBACK', mariadb: 'UNLOCK TABLES', mysql: 'UNLOCK TABLES' }
const CONNECTIONS = {
  postgres: 'SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database()',
  mariadb: 'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = DATABASE()',
  mysql: 'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE DB = DATABASE()',
}
const AT_WORK = {
  postgres:
    "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%db_task_result%' AND datname = current_database()",
  mariadb:
    "SELECT INFO FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Sleep' AND ID <> CONNECTION_ID() AND INFO LIKE '%db_task_result%' AND DB = DATABASE()",
  mysql:
    "SELECT INFO FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Sleep' AND ID <> CONNECTION_ID() AND INFO LIKE '%db_task_result%' AND DB = DATABASE()",
}

describeEachDatabase(
  ({ name, connect }) => {
    let dataSource: DataSource
    let holder: QueryRunner

    beforeAll(async () => {
      dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
      await addTimed(dataSource, [{}])
      holder = dataSource.createQueryRunner()
    })
    afterAll(() => holder.release())

    it('ends a statement that takes too long, on the server too, says so, and goes on afterwards', async () => {
      const backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
      const place = await placeOf(dataSource, 'default')
      const browser = await openBrowserOn(place, backend, { limitMs: 400 })
      expect((await browser.tasks({ limit: 5, within: 5 })).tasks).toHaveLength(1)
      if (name === 'postgres') await holder.query('BEGIN')
      await holder.query(LOCK[name])

      const start = performance.now()
      await expect(browser.tasks({ limit: 5, within: 5 })).rejects.toMatchObject({
        code: 'DATABASE',
        message: expect.stringContaining('longer than 400 ms') as string,
        hint: expect.stringContaining('within') as string,
      })
      expect(performance.now() - start).toBeLessThan(3_000)

      await expect(atWork(dataSource)).resolves.toEqual([])
      await holder.query(UNLOCK[name])
      expect((await browser.tasks({ limit: 5, within: 5 })).tasks).toHaveLength(1)
      await browser.close()
    })

    it('asks on connections of its own, while all of the app are in use', async () => {
      const app = await connect({
        entities: [DBTaskResult],
        synchronize: true,
        ...({ poolSize: 1 } as object),
      })
      const [id] = await addTimed(app, [{}])
      const backend = new DatabaseBackend('default', { queues: [], options: { dataSource: app } })
      const browser = await backend.openBrowser()
      const taken = app.createQueryRunner()
      await taken.query('SELECT 1')

      expect((await browser.tasks({ limit: 5, within: 5 })).tasks).toHaveLength(1)
      expect(await browser.queues()).toHaveLength(1)
      expect(await browser.workers()).toBeNull()
      expect(await browser.history({ from: new Date(0), to: new Date(), steps: 5 })).toHaveLength(5)
      expect(await browser.flow(id!)).toBeNull()
      expect(await browser.prioritise([id!], 1)).toEqual([id])
      expect(await browser.remove([id!])).toEqual([id])

      await browser.close()
      await taken.release()
      expect(app.isInitialized).toBe(true)
    })

    it('has at most two connections, however many ask at once', async () => {
      const backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
      const connections = async (): Promise<number> =>
        Number((await dataSource.query<{ n: unknown }[]>(CONNECTIONS[name]))[0]!.n)
      const before = await connections()
      const browser = await backend.openBrowser()

      const pages = await Promise.all(
        Array.from({ length: 50 }, () => browser.tasks({ limit: 5, within: 5 })),
      )

      expect(pages.map(({ tasks }) => tasks.length)).toEqual(Array(50).fill(1))
      expect(await connections()).toBe(before + 2)
      await browser.close()
    })

    /** PostgreSQL hears of the cancel by another connection, a moment later. */
    async function atWork(on: DataSource): Promise<unknown[]> {
      const deadline = performance.now() + 2_000
      for (;;) {
        const found: unknown[] = await on.query(AT_WORK[name])
        if (found.length === 0 || performance.now() > deadline) return found
      }
    }
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
