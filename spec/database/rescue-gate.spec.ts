import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions, type Logger } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  DBTaskWorker,
  startWorker,
  task,
  taskEntities,
} from 'typeorm-tasks'
import { setLogger } from '#logger'
import { readyRow } from '../support/row-values'
import { databases } from '../support/databases'
import { until } from '../faults/kit/until'

const quick = task('gate.quick', async () => {})

const LEASE_MS = 4_000
/** The interval of heartbeats and of looks is a third of the lease. */
const LOOK_MS = (LEASE_MS / 3) * 1.3

/** What a worker asks its database, from now on. */
interface Watched {
  readonly dataSource: DataSource
  readonly statements: string[]
}

async function watched(options: DataSourceOptions): Promise<Watched> {
  const statements: string[] = []
  const ignore = (): void => {}
  const logger: Logger = {
    logQuery: (sql) => void statements.push(sql),
    logQueryError: ignore,
    logQuerySlow: ignore,
    logSchemaBuild: ignore,
    logMigration: ignore,
    log: ignore,
  }
  const own = { ...options, entities: taskEntities, synchronize: true, logger }
  return { dataSource: await new DataSource(own).initialize(), statements }
}

const isLook = (sql: string): boolean => /^SELECT .*lease_until < /s.test(sql)
const isBeat = (sql: string): boolean => /INSERT INTO \S*db_task_worker/.test(sql)

it('on every database a worker with a record looks for lost rows only when another record has expired', async () => {
  setLogger({ debug() {}, info() {}, warn() {}, error() {} })
  const places = await Promise.all(
    databases().map(async ({ name, fresh }) => ({ name, ...(await watched(await fresh())) })),
  )
  configureTasks(
    Object.fromEntries(
      [...places, { name: 'default', dataSource: places[0]!.dataSource }].map(
        ({ name, dataSource }) => [
          name,
          {
            BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
            OPTIONS: { dataSource, leaseSeconds: LEASE_MS / 1_000 },
          },
        ],
      ),
    ),
  )
  const workers = await Promise.all(
    places.map(({ name }) => startWorker({ backend: name, interval: 100 })),
  )
  await sleep(2 * LEASE_MS + LOOK_MS)

  for (const { statements } of places) statements.length = 0
  for (let round = 0; round < 20; round++) {
    await Promise.all(places.map(({ name }) => quick.using({ backend: name }).enqueue()))
    await sleep(100)
  }
  for (const { name, statements } of places) {
    expect({ name, looks: statements.filter(isLook) }).toEqual({ name, looks: [] })
    expect(statements.filter(isBeat).length).toBeGreaterThanOrEqual(1)
  }

  const long = new Date(Date.now() - 2 * LEASE_MS)
  const lost = places.map(({ name }) =>
    readyRow({ backendName: name, queueName: 'other', status: 'RUNNING', leaseUntil: long }),
  )
  await Promise.all(
    places.map(async ({ name, dataSource }, i) => {
      await dataSource.getRepository(DBTaskResult).insert(lost[i] as object)
      await dataSource.getRepository(DBTaskWorker).insert(goneFrom(name, long))
    }),
  )
  await Promise.all(
    places.map(({ name, dataSource, statements }, i) =>
      until(
        async () =>
          (await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: lost[i]!.id }))
            .attemptErrors?.length === 1,
        20_000,
        () => `the lost row on ${name} to be taken over, by one of:\n${statements.join('\n')}`,
      ),
    ),
  )
  for (const { statements } of places) expect(statements.filter(isLook)).not.toEqual([])

  await Promise.all(workers.map((worker) => worker.stop()))
  for (const { dataSource } of places) {
    const left = await dataSource.getRepository(DBTaskWorker).find()
    expect(left.filter(({ id }) => id !== 'gone')).toEqual([])
    await dataSource.destroy()
  }
})

function goneFrom(backend: string, seenAt: Date): DBTaskWorker {
  return {
    id: 'gone',
    backend,
    host: 'elsewhere',
    pid: 1,
    version: '0.1.0',
    queues: ['*'],
    concurrency: 1,
    running: 1,
    startedAt: seenAt,
    seenAt,
    leaseMs: LEASE_MS,
    eventLoopDelayMs: 0,
    rssMib: 1,
  }
}
