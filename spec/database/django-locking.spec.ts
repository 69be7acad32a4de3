import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dialectFor } from '#dialect-for'
import { Session } from '#session'
import { tableOf } from '#database/table'
import { backends } from '../../lib/backend-registry'
import { DatabaseRows } from '../contract/database-rows'
import { claim, idsOf } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { add, catchLog } from '../support/tasks'

describeEachDatabase((database) => {
  let dataSource: DataSource
  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
  })
  beforeEach(() => {
    catchLog()
    configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  })
  afterEach(async () => await new DatabaseRows(dataSource).clear())

  it('a claim that is not committed yet keeps nobody from the rows it did not take', async () => {
    const [first, second, mail] = await new DatabaseRows(dataSource).add(
      { priority: 9 },
      {},
      { priority: 10, queueName: 'mail' },
    )
    const other = await backends.get('default').openStore({})
    const runner = dataSource.createQueryRunner()
    await runner.startTransaction(database.name === 'sqlite' ? undefined : 'READ COMMITTED')

    const held = await dialectFor(await tableOf(dataSource)).claim(
      Session.of(runner.manager, dataSource),
      {
        limit: 1,
        filter: { queues: ['default'], excludeQueues: [] },
        workerId: 'w-1',
        backendName: 'default',
        leaseSeconds: 30,
      },
    )
    const claiming = claim(other, 9)
    const isHeldUp = database.name === 'sqlite'
    const answered = await Promise.race([
      claiming.then(() => true),
      sleep(isHeldUp ? 300 : 5_000, false),
    ])
    await runner.commitTransaction()
    await runner.release()
    const taken = [...idsOf(await claiming), ...idsOf(await claim(other, 9))]
    await other.close()

    expect(held.map(({ row_key }) => row_key)).toEqual([new DatabaseRows(dataSource).key(first!)])
    expect(taken).toEqual([mail, second])
    // SQLite has one writer at a time: there the other one waits, and goes on afterwards.
    expect(answered).toBe(!isHeldUp)
  })

  it('batches that serve different queues at once leave nothing of their own', async () => {
    const queues = ['mail', 'reports']
    for (const queueName of queues)
      await add
        .using({ queueName })
        .enqueueMany(Array.from({ length: 100 }, (_, i): [number] => [i]))

    const ended = await Promise.all(
      [...queues, ...queues].map((queue) => runUntilEmpty({ queues: [queue], concurrency: 5 })),
    )

    expect(await dataSource.getRepository(DBTaskResult).countBy({ status: 'SUCCESSFUL' })).toBe(200)
    expect(ended.reduce((sum, { started }) => sum + started, 0)).toBe(200)
  })
})
