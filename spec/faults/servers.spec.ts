import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSourceOptions } from 'typeorm'
import { describeEachDatabase } from '../support/databases'
import type { Server } from '../support/servers/server'
import { serverNames, startServer } from '../support/servers/start'
import { Field, type Expected, type FieldWish } from './kit/field'
import { claimsOf, LEASE } from './kit/timing'

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
      wish: FieldWish = {},
    ): void =>
      it(
        title,
        async () => {
          const field = await Field.open(
            name,
            { type: name, ...(await server.fresh()) } as DataSourceOptions,
            wish,
          )
          try {
            await field.verify((await work(field)) ?? {})
          } finally {
            await field.close()
          }
        },
        90_000,
      )

    add(
      'F27, F29 a database that is killed and back within the lease costs no attempt, and no outcome',
      async (field) => {
        const long = await field.enqueue(
          'sleep',
          Array.from({ length: 4 }, () => [6_000]),
          { priority: 2 },
        )
        const [short] = await field.enqueue('sleep', [[1_500]], { priority: 1 })
        const [next] = await field.enqueue('count')
        const worker = await field.worker(['--concurrency', '5'])
        await field.sees('start', 5)
        await sleep(500)

        await server.kill()
        await field.sees('end')
        await sleep(1_000)
        const back = Date.now()
        await server.restart()
        await field.answers()
        await field.finished()

        expect(
          (await field.rows()).map(({ status, claims, attemptErrors }) => [
            status,
            claims,
            attemptErrors,
          ]),
        ).toEqual([...long, short, next].map(() => ['SUCCESSFUL', 1, null]))
        expect((await field.row(short!)).finishedAt!.getTime()).toBeGreaterThan(back - 100)
        // Until the outcome is stored its slot is taken.
        expect(
          field.events.find(({ event, id }) => event === 'start' && id === next)!.at,
        ).toBeGreaterThan(back)
        expect(worker.isOver).toBe(false)
      },
      { settings: { leaseSeconds: 8 } },
    )

    add(
      'F28 a worker whose database is away for three leases tells its tasks to stop in time, and they run again',
      async (field) => {
        const ids = await field.enqueue('second', [[60_000], [60_000], [60_000]])
        const worker = await field.worker()
        await field.sees('start', 3)
        await sleep(1_000)

        await server.kill()
        const killed = Date.now()
        const aborts = await field.sees('abort', 3)
        await sleep(Math.max(0, killed + 3 * LEASE - Date.now()))
        await server.restart()
        await field.answers()
        await field.finished()

        expect(Math.max(...aborts.map(({ at }) => at)) - killed).toBeLessThan(LEASE + 500)
        expect(aborts.map(({ note }) => note)).toEqual(Array(3).fill('LeaseLost'))
        expect(ids.map((id) => claimsOf(field.events, id))).toEqual(ids.map(() => [1, 2]))
        expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
          ids.map(() => ['SUCCESSFUL', 2]),
        )
        expect(worker.isOver).toBe(false)
      },
    )

    const isolation: [string, string, string][] =
      name === 'postgres'
        ? [
            [
              'F43 SERIALIZABLE',
              "ALTER DATABASE %s SET default_transaction_isolation = 'serializable'",
              '',
            ],
            [
              'F43 REPEATABLE READ',
              "ALTER DATABASE %s SET default_transaction_isolation = 'repeatable read'",
              '',
            ],
          ]
        : [
            [
              'F43 SERIALIZABLE',
              'SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE',
              'SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ',
            ],
            ...(name === 'mariadb'
              ? [
                  [
                    'F42 snapshot isolation',
                    'SET GLOBAL innodb_snapshot_isolation = ON',
                    'SET GLOBAL innodb_snapshot_isolation = OFF',
                  ] as [string, string, string],
                ]
              : []),
          ]
    for (const [what, before, after] of isolation)
      add(
        `${what}: four workers run 400 tasks once each, and nobody hears of conflicts`,
        async (field) => {
          await field.dataSource.query(
            before.replace('%s', String(field.dataSource.options.database)),
          )
          try {
            const ids = await field.enqueue(
              'count',
              Array.from({ length: 400 }, () => []),
            )
            const workers = await Promise.all([1, 2, 3, 4].map(() => field.worker()))

            await field.finished(ids, 60_000)

            expect(ids.filter((id) => claimsOf(field.events, id).length !== 1)).toEqual([])
            const strange = workers
              .flatMap(({ log }) => log.split('\n'))
              .filter(
                (line) =>
                  !/^(Starting worker .*|Task id=.* state=(RUNNING|SUCCESSFUL)|warning: .*)?$/.test(
                    line,
                  ),
              )
            expect(strange).toEqual([])
          } finally {
            if (after !== '') await field.dataSource.query(after)
          }
        },
      )
  },
  { only: serverNames },
)
