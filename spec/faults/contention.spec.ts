import type { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import type { Store } from '#lib/store'
import { claim, claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { serverNames, type ServerName } from '../support/servers/start'
import { say } from './kit/setting'
import { addReady, analyze } from './kit/volume'

const READY = 10_000
const EACH = 1_200

describeEachDatabase(
  ({ name, connect }) =>
    describe(`with ${READY} tasks of many priorities and queues`, () => {
      let dataSource: DataSource
      let stores: Store[]

      beforeAll(async () => {
        dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
        await addReady(dataSource, name, 1, READY)
        await analyze(dataSource, name)
        const backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
        stores = await Promise.all(Array.from({ length: 8 }, () => backend.openStore({})))
      }, 60_000)
      afterAll(() => Promise.all(stores.map((store) => store.close())))

      it('F41 a claim succeeds while the transaction of another is held open', async () => {
        const runner = dataSource.createQueryRunner()
        await runner.startTransaction('READ COMMITTED')
        // What a claim of the highest priority locks, held for as long as it pleases.
        const locked = (await runner.query(
          `SELECT id FROM db_task_result WHERE status = 'READY' AND priority = 4 AND run_after = '9999-01-01 00:00:00${name === 'postgres' ? '+00' : ''}' AND backend_name = 'default' ORDER BY run_after, enqueued_at LIMIT 10 FOR UPDATE SKIP LOCKED`,
        )) as { id: string }[]

        const start = performance.now()
        const { claimed } = await claim(stores[0]!, 10)
        const took = performance.now() - start
        await runner.rollbackTransaction()
        await runner.release()

        expect(locked).toHaveLength(10)
        expect(claimed).toHaveLength(10)
        expect(claimed.filter(({ values }) => locked.some(({ id }) => id === values.id))).toEqual(
          [],
        )
        expect(took).toBeLessThan(1_000)
      })

      it('F41 eight workers get through about as much as one, or more, and none takes what another has', async () => {
        const seen = new Set<string>()
        const one = await throughput(stores.slice(0, 1), seen)
        const before = await deadlocks(dataSource, name)
        const eight = await throughput(stores, seen)

        say(
          `${name}: eight workers claim and finish ${(eight / one).toFixed(2)} times as many rows a second as one (${Math.round(one)} and ${Math.round(eight)})`,
        )
        expect(seen.size).toBe(2 * EACH)
        // They share the processors with the server: if they kept each other waiting it would be far less.
        expect(eight / one).toBeGreaterThan(0.6)
        expect((await deadlocks(dataSource, name)) - before).toBe(0)
      }, 60_000)
    }),
  { only: serverNames },
)

/** Claims and finishes so many rows with all of them; gives rows a second. */
async function throughput(stores: readonly Store[], seen: Set<string>): Promise<number> {
  const start = performance.now()
  let left = EACH
  await Promise.all(
    stores.map(async (store, at) => {
      while (left > 0) {
        const room = Math.min(5, left)
        left -= room
        const { claimed } = await store.exchange(
          [],
          room,
          claimFilter({ workerId: `w-${at}`, queues: ['default', 'mail', 'slow'] }),
        )
        left += room - claimed.length
        for (const { key } of claimed) seen.add(key)
        const { answers } = await store.exchange(
          claimed.map(({ key, claims }) => ({
            key,
            claims,
            status: 'SUCCESSFUL',
            returnValue: null,
          })),
          0,
          claimFilter(),
        )
        if (answers.some((answer) => answer !== 'kept')) throw new Error('An outcome was not kept')
      }
    }),
  )
  return EACH / ((performance.now() - start) / 1000)
}

/** How many the server has counted. */
async function deadlocks(dataSource: DataSource, name: ServerName): Promise<number> {
  const sql = {
    postgres: 'SELECT deadlocks AS value FROM pg_stat_database WHERE datname = current_database()',
    mariadb: "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'",
    mysql:
      "SELECT count AS value FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'",
  }[name]
  const [record] = (await dataSource.query(sql)) as { value?: string; Value?: string }[]
  return Number(record?.value ?? record?.Value)
}
