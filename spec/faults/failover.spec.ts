import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource, DataSourceOptions } from 'typeorm'
import { databases, describeEachDatabase, isMySqlFamily } from '../support/databases'
import { startPostgres, startStandby } from '../support/servers/postgres'
import type { Server } from '../support/servers/server'
import { serverNames, startServer } from '../support/servers/start'
import { Field, type Expected, type FieldWish } from './kit/field'
import { Proxy } from './kit/proxy'
import { claimsOf } from './kit/timing'

/** Connections to come only read, and stay so as long as they last; those that there are, are ended. */
const READ_ONLY: Record<string, string[]> = {
  postgres: [
    'ALTER DATABASE %s SET default_transaction_read_only = on',
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'ledger'",
  ],
  mariadb: ['SET GLOBAL tx_read_only = ON'],
  mysql: ['SET GLOBAL transaction_read_only = ON'],
}
const WRITABLE: Record<string, string> = {
  postgres: 'ALTER DATABASE %s RESET default_transaction_read_only',
  mariadb: 'SET GLOBAL tx_read_only = OFF',
  mysql: 'SET GLOBAL transaction_read_only = OFF',
}

describeEachDatabase(
  ({ name }) => {
    let server: Server
    beforeAll(async () => {
      server = await startServer(name)
    }, 60_000)
    afterAll(() => server.stop())

    const add = (
      title: string,
      work: (field: Field) => Promise<Expected | void>,
      wish: (direct: object) => FieldWish = () => ({}),
    ): void =>
      it(
        title,
        async () => {
          const direct = { type: name, ...(await server.fresh()) }
          const field = await Field.open(name, direct as DataSourceOptions, wish(direct))
          try {
            await field.verify((await work(field)) ?? {})
          } finally {
            await field.close()
          }
        },
        90_000,
      )

    add(
      'F35 a server that only reads for 5 seconds costs no attempt: connections are made anew until one can write',
      async (field) => {
        const ids = await field.enqueue('sleep', [[6_500], [7_000]])
        const worker = await field.worker()
        await field.sees('start', 2)

        await onlyReads(field.dataSource)
        // By a connection that was there before, and may write.
        const [later] = await field.enqueue('count')
        await worker.says(/read[- ]only/i)
        await sleep(5_000)
        await writes(field.dataSource)
        await field.finished(undefined, 30_000)

        expect(ids.map((id) => claimsOf(field.events, id))).toEqual([[1], [1]])
        expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
          [...ids, later].map(() => ['SUCCESSFUL', 1]),
        )
        expect(worker.isOver).toBe(false)
        expect(
          worker.log.split('\n').filter((line) => line.startsWith('The backend did not answer'))
            .length,
        ).toBeLessThan(15)
      },
      () => ({ settings: { leaseSeconds: 15 } }),
    )

    add(
      'F36 a worker of an app with replicas goes on when its server was away for 12 seconds',
      async (field) => {
        const worker = await field.worker()
        await sleep(500)
        await server.kill()
        const before = worker.log.length
        await sleep(12_000)

        await server.restart()
        await field.answers()
        const ids = await field.enqueue('count', [[], []])

        expect(await field.finished(ids, 30_000)).toBeLessThan(20_000)
        expect(worker.isOver).toBe(false)
        expect(worker.log.length).toBeGreaterThan(before)
        expect(worker.log).not.toMatch(/pool does not exist/i)
      },
      (direct) => {
        const { type: _, ...address } = direct as { type: string }
        return {
          app: {
            host: undefined,
            port: undefined,
            username: undefined,
            password: undefined,
            database: undefined,
            replication: { master: address, slaves: [address] },
          },
        }
      },
    )

    async function onlyReads(dataSource: DataSource): Promise<void> {
      for (const sql of READ_ONLY[name] ?? [])
        await dataSource.query(sql.replace('%s', String(dataSource.options.database)))
      if (!isMySqlFamily(name)) return
      const others = (await dataSource.query(
        'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
      )) as { id: string }[]
      for (const { id } of others) await dataSource.query(`KILL ${id}`)
    }

    async function writes(dataSource: DataSource): Promise<void> {
      await dataSource.query(
        (WRITABLE[name] ?? '').replace('%s', String(dataSource.options.database)),
      )
    }
  },
  { only: serverNames },
)

if (databases().some(({ name }) => name === 'postgres'))
  it('F35 a PostgreSQL whose stand-by is promoted, seconds after it was put in its place, loses no task and needs no restart', async () => {
    const primary = await startPostgres()
    const proxy = await Proxy.to({ host: '127.0.0.1', port: primary.port })
    const address = await primary.fresh()
    const standby = await startStandby(primary)
    // Everything goes by one name, which is made to mean the other server.
    const field = await Field.open(
      'postgres',
      { type: 'postgres', ...address, port: proxy.port },
      { settings: { leaseSeconds: 15 } },
    )
    try {
      if (standby === undefined)
        return console.warn('pg_basebackup is missing: no stand-by was promoted.')
      await inStep(field.dataSource)
      const ids = await field.enqueue(
        'sleep',
        [4_000, 5_000, 6_000, 20_000, ...Array.from({ length: 20 }, () => 50)].map((ms) => [ms]),
      )
      const worker = await field.worker(['--concurrency', '4'])
      await field.sees('start', 4)
      await sleep(500)

      proxy.retarget({ host: '127.0.0.1', port: standby.port })
      await primary.kill()
      await worker.says(/read-only|recovery/)
      await sleep(3_000)
      await promote(field)
      const later = await field.enqueue('count', [[]])
      await field.finished([...ids, ...later], 60_000)

      expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
        [...ids, ...later].map(() => ['SUCCESSFUL', 1]),
      )
      expect(worker.isOver).toBe(false)
      await field.verify()
    } finally {
      await field.close()
      await proxy.close()
      await Promise.all([primary.stop(), standby?.stop()])
    }
  }, 120_000)

/** No commit is told before the stand-by has it. */
async function inStep(dataSource: DataSource): Promise<void> {
  await dataSource.query("ALTER SYSTEM SET synchronous_standby_names = '*'")
  await dataSource.query('SELECT pg_reload_conf()')
}

async function promote(field: Field): Promise<void> {
  await field.answers()
  // The stand-by would else wait for one of its own.
  await field.dataSource.query('SELECT pg_promote()')
  await field.dataSource.query("ALTER SYSTEM SET synchronous_standby_names = ''")
  await field.dataSource.query('SELECT pg_reload_conf()')
}
