import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, DBTaskResult, type RunningWorker, startWorker, task } from 'typeorm-tasks'
import { dialectFor } from '#dialect-for'
import { Session } from '#session'
import { tableOf } from '#database/table'
import { Portable } from '#portable/dialect'
import { DatabaseRows } from '../contract/database-rows'
import { describeEachDatabase, isMySqlFamily } from '../support/databases'
import { catchLog } from '../support/tasks'
import { Proxy } from '../faults/kit/proxy'

const once = task('unheard.once', async () => {}, { rerunAfterCrash: false })
/** What a claim sends last, by family. */
const CLAIM = { mysql: /\bCOMMIT\b/, postgres: /SET status = 'RUNNING'/ }

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
  })

  it.each(['its own', 'portable'])(
    'the rows of a worker are found by its id (%s statements)',
    async (which) => {
      const rows = new DatabaseRows(dataSource)
      await rows.clear()
      const lease = new Date(Date.now() + 60_000)
      const running = { status: 'RUNNING', leaseUntil: lease, claims: 3 } as const
      const [mine] = await rows.add({ ...running, workerIds: ['b', 'a"%'] })
      await rows.add({ ...running, workerIds: ['a"%', 'b'] })
      await rows.add({ ...running, workerIds: ['a"%'], leaseUntil: null })
      await rows.add({ ...running, workerIds: ['a"%'], backendName: 'other' })
      await rows.add({ status: 'SUCCESSFUL', workerIds: ['a"%'] })

      const table = await tableOf(dataSource)
      const dialect = which === 'portable' ? new Portable(table) : dialectFor(table)
      const found = await dialect.runningOf(
        new Session(dataSource),
        { workerId: 'a"%', backendName: 'default' },
        10,
      )

      expect(found).toEqual([
        { row_key: table.hexIds ? mine!.replaceAll('-', '') : mine, claims: 3 },
      ])
    },
  )
})

describeEachDatabase(
  (database) => {
    it('rows of a claim whose answer is lost are given back at once, and no crash is counted', async () => {
      const direct = (await database.fresh()) as DataSourceOptions & { host: string; port: number }
      const proxy = await Proxy.to(direct)
      const dataSource = await new DataSource({
        ...direct,
        port: proxy.port,
        entities: [DBTaskResult],
        synchronize: true,
      } as DataSourceOptions).initialize()
      const log = catchLog()
      let worker: RunningWorker | undefined
      try {
        configureTasks({
          default: {
            BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
            OPTIONS: { dataSource, leaseSeconds: 30 },
          },
        })
        const results = await once.enqueueMany(Array.from({ length: 6 }, () => []))
        proxy.loseReplyTo(CLAIM[isMySqlFamily(database.name) ? 'mysql' : 'postgres'])
        worker = await startWorker({ interval: 20 })
        await Promise.all(results.map((result) => result.wait({ timeout: 25_000 })))

        const rows = await dataSource.getRepository(DBTaskResult).find()
        expect(
          rows.map(({ status, workerIds, attemptErrors }) => [
            status,
            workerIds.length,
            attemptErrors,
          ]),
        ).toEqual(results.map(() => ['SUCCESSFUL', 1, null]))
        expect(proxy.lost).toBe(1)
        expect(log).toContainEqual([
          'info',
          expect.stringMatching(/^\d row\(s\) of a claim whose answer was lost/),
        ])
      } finally {
        await worker?.stop()
        await dataSource.destroy()
        await proxy.close()
      }
    }, 60_000)
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
