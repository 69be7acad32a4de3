import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type RunningWorker,
  startWorker,
  task,
  type WorkerOptions,
} from 'typeorm-tasks'
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

const slow = task('unheard.slow', async () => {
  await sleep(1_500)
})

describeEachDatabase(
  (database) => {
    let proxy: Proxy
    let dataSource: DataSource
    let log: ReturnType<typeof catchLog>
    const workers: RunningWorker[] = []
    const loseNextClaim = (): void =>
      proxy.loseReplyTo(CLAIM[isMySqlFamily(database.name) ? 'mysql' : 'postgres'])
    const start = async (options: WorkerOptions): Promise<void> =>
      void workers.push(await startWorker({ interval: 20, ...options }))
    const rows = () => dataSource.getRepository(DBTaskResult)

    beforeEach(async () => {
      const direct = (await database.fresh()) as DataSourceOptions & { host: string; port: number }
      proxy = await Proxy.to(direct)
      dataSource = await new DataSource({
        ...direct,
        port: proxy.port,
        entities: [DBTaskResult],
        synchronize: true,
      } as DataSourceOptions).initialize()
      log = catchLog()
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          QUEUES: ['default', 'mail'],
          OPTIONS: { dataSource, leaseSeconds: 30 },
        },
      })
    })
    afterEach(async () => {
      await Promise.all(workers.splice(0).map((worker) => worker.stop()))
      await dataSource.destroy()
      await proxy.close()
    })

    it('rows of a claim whose answer is lost are given back at once, and no crash is counted', async () => {
      const results = await once.enqueueMany(Array.from({ length: 6 }, () => []))
      loseNextClaim()
      await start({})
      await Promise.all(results.map((result) => result.wait({ timeout: 25_000 })))

      expect(
        (await rows().find()).map(({ status, workerIds, attemptErrors }) => [
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
    }, 60_000)

    it('rows of another worker with the same name are left to it', async () => {
      const results = await slow
        .using({ queueName: 'mail' })
        .enqueueMany(Array.from({ length: 3 }, () => []))
      await start({ workerId: 'twin', queues: ['mail'] })
      while ((await rows().countBy({ status: 'RUNNING' })) < 3) await sleep(10)

      await once.enqueue()
      loseNextClaim()
      await start({ workerId: 'twin' })
      await Promise.all(results.map((result) => result.wait({ timeout: 25_000 })))

      expect(
        (await rows().findBy({ taskPath: slow.name })).map(({ status, claims }) => [
          status,
          claims,
        ]),
      ).toEqual(results.map(() => ['SUCCESSFUL', 1]))
      expect(proxy.lost).toBe(1)
    }, 60_000)
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
