import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource, DataSourceOptions } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { WorkerConnections } from '#worker-connections'
import { openWorkerSessions } from '#worker-data-source'
import { Session } from '#session'
import { inTime, NoAnswer } from '#clock'
import { describeEachDatabase } from '../support/databases'
import { serverNames } from '../support/servers/start'

const SLEEP = {
  postgres: 'SELECT pg_sleep(20)',
  mariadb: 'SELECT SLEEP(20)',
  mysql: 'SELECT SLEEP(20)',
}
const WHO = {
  postgres: 'SELECT pg_backend_pid() AS id',
  mariadb: 'SELECT CONNECTION_ID() AS id',
  mysql: 'SELECT CONNECTION_ID() AS id',
}
const KILL = {
  postgres: (id: number) => `SELECT pg_terminate_backend(${id})`,
  mariadb: (id: number) => `KILL ${id}`,
  mysql: (id: number) => `KILL ${id}`,
}

it('takes what is answered in time, and lets a failure be one', async () => {
  await expect(inTime(Promise.resolve(7), 1_000)).resolves.toBe(7)
  await expect(inTime(Promise.reject(new RangeError('its own')), 1_000)).rejects.toThrow('its own')
  await expect(inTime(new Promise(() => {}), 20)).rejects.toThrow('no answer within 20 ms')
})

describeEachDatabase(
  (database) => {
    const { name } = database
    describe('a connection', () => {
      const whoAmI = WHO[name]
      let dataSource: DataSource
      let connections: WorkerConnections
      const who = (): Promise<number> =>
        connections.use(2_000, async (runner) =>
          Number(((await runner.query(whoAmI)) as { id: number }[])[0]!.id),
        )

      beforeAll(async () => {
        dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      })
      beforeEach(() => {
        connections = new WorkerConnections(dataSource)
      })

      it('uses a connection again as long as it answers', async () => {
        expect(await who()).toBe(await who())
      })

      it('ends a connection that gives no answer in time, and all that were there beside it', async () => {
        const both = await Promise.all([
          connections.use(2_000, async (runner) => [await pid(runner), await sleep(100)]),
          who(),
        ])
        const before = [Number(both[0][0]), both[1]]
        expect(new Set(before).size).toBe(2)

        await expect(connections.use(200, (runner) => runner.query(SLEEP[name]))).rejects.toThrow(
          NoAnswer,
        )

        const after = await Promise.all([
          connections.use(2_000, async (runner) => [await pid(runner), await sleep(100)]),
          who(),
        ])
        expect(before).not.toContain(Number(after[0][0]))
        expect(before).not.toContain(after[1])
      })

      it('leaves no statement behind that waits for a lock when nobody waits for it', async () => {
        if (name !== 'postgres') return // MySQL ends such a wait itself
        const holder = dataSource.createQueryRunner()
        await holder.startTransaction()
        await holder.query('LOCK TABLE db_task_result')

        await expect(
          connections.use(300, (runner) => runner.query('SELECT count(*) FROM db_task_result')),
        ).rejects.toThrow(NoAnswer)
        await sleep(300)

        const waiting = (await dataSource.query(
          "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )) as unknown[]
        await holder.rollbackTransaction()
        await holder.release()
        expect(waiting).toEqual([])
      })

      it('takes back none whose rollback failed', async () => {
        let mine = 0
        const failing = new Session(dataSource).transaction(async (inside) => {
          mine = Number((await inside.query(whoAmI)).records[0]!['id'])
          await dataSource.query(KILL[name](mine))
          throw new RangeError('of the work')
        })

        await expect(failing).rejects.toThrow('of the work')
        const next = await Promise.all([who(), who(), who()])
        expect(next).not.toContain(mine)
      })

      it('lets nobody wait for ever for a free connection', async () => {
        const { exchange, renewal, chore, close } = await openWorkerSessions(dataSource, 3)
        const busy = [exchange, chore, chore].map((session) =>
          session.query(SLEEP[name]).catch((error: unknown) => error),
        )
        await sleep(200)
        const before = performance.now()

        await expect(renewal.query(whoAmI)).rejects.toThrow(NoAnswer)

        expect(performance.now() - before).toBeLessThan(2_000)
        expect(await Promise.all(busy)).toEqual([
          expect.any(NoAnswer),
          expect.any(NoAnswer),
          expect.any(NoAnswer),
        ])
        expect((await renewal.query(whoAmI)).records).toHaveLength(1)
        await close()
      })

      it('works on one that cannot be set up as wished, be it refused or left unanswered', async () => {
        const refused = new WorkerConnections(
          dataSource,
          async (runner) => void (await runner.query('LISTEN TO NOBODY')),
        )
        expect(await refused.useDedicated(2_000, pid)).toBe(await refused.useDedicated(2_000, pid))
        await refused.close()

        const unanswered = new WorkerConnections(
          dataSource,
          async (runner) => void (await runner.query(SLEEP[name])),
        )
        await expect(unanswered.useDedicated(300, pid)).rejects.toThrow(NoAnswer)
        await sleep(2_500)
        expect(await unanswered.useDedicated(2_000, pid)).toBe(
          await unanswered.useDedicated(2_000, pid),
        )
        await unanswered.close()
      })

      it('goes to the primary alone where the app has replicas', async () => {
        const {
          host,
          port,
          username,
          password,
          database: db,
        } = dataSource.options as DataSourceOptions & {
          host: string
          port: number
          username: string
          password: string
        }
        const own = { host, port, username, password, database: db }
        const replicated = {
          options: {
            ...dataSource.options,
            host: undefined,
            port: 1,
            replication: { master: own, slaves: [{ ...own, port: 1 }] },
          },
          getMetadata: () => dataSource.getMetadata(DBTaskResult),
          hasMetadata: () => false,
        } as unknown as DataSource

        const { exchange, close, dataSource: workers } = await openWorkerSessions(replicated, 30)

        expect((await exchange.query(whoAmI)).records).toHaveLength(1)
        expect(workers.driver.isReplicated).toBe(false)
        await close()
      })

      async function pid(runner: { query(sql: string): Promise<unknown> }): Promise<number> {
        return Number(((await runner.query(whoAmI)) as { id: number }[])[0]!.id)
      }
    })
  },
  { only: serverNames },
)
