import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker, task, type TaskContext } from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const patient = task(
  'forced.patient',
  ({ signal }: TaskContext) => sleep(30_000, undefined, { signal }),
  { takesContext: true },
)
const deaf = task('forced.deaf', () => sleep(3_000))

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
  })

  it.each([
    ['at once', 0],
    ['a moment after a stop', 5],
  ])(
    'a forced stop, %s, gives all rows back before it resolves',
    async (_, pause) => {
      const rows = dataSource.getRepository(DBTaskResult)
      for (let round = 0; round < 5; round++) {
        await rows.clear()
        await patient.enqueueMany(Array.from({ length: 5 }, () => []))
        await deaf.enqueueMany(Array.from({ length: 5 }, () => []))
        const worker = await startWorker({ interval: 20, concurrency: 6 })
        while ((await rows.countBy({ status: 'RUNNING' })) < 6) await sleep(5)

        if (pause > 0) void worker.stop()
        await sleep(pause)
        const start = performance.now()
        await worker.stop({ force: true })

        // It waits half a second for a database. One that takes longer still gives them back: the statement is on its way.
        // A timer of Node counts from the start of its loop's turn, so half a second may end some ms early.
        if (performance.now() - start >= 450)
          while ((await rows.countBy({ status: 'RUNNING' })) > 0) await sleep(50)
        const left = (await rows.find()).map(({ status, workerIds }) => [status, workerIds.length])
        expect(left).toEqual(Array(10).fill(['READY', 0]))
      }
    },
    60_000,
  )
})
