import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type RunningWorker,
  startWorker,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'
import { Proxy } from '../faults/kit/proxy'

// CANCELS=2000 npx jest spec/database/cancel-while-ending
const TASKS = Number(process.env.CANCELS ?? 300)
const AT_ONCE = 10
const LEASE_SECONDS = 60

/** Runs that go on, by their ids: each ends when it is let go. */
const runs = new Map<string, () => void>()
const brief = task(
  'cancels.brief',
  ({ taskResult }) => new Promise<void>((resolve) => runs.set(taskResult.id, resolve)),
  { takesContext: true },
)

describeEachDatabase((database) => {
  // A file has no network.
  const delays = database.name === 'sqlite' ? [0] : [0, 15]

  describe.each(delays)('over a network of %i ms', (delay) => {
    let dataSource: DataSource
    let proxy: Proxy | undefined
    let worker: RunningWorker

    beforeAll(async () => {
      catchLog()
      runs.clear()
      const options = await database.fresh()
      if (delay > 0) {
        proxy = await Proxy.to(options as unknown as { host: string; port: number })
        proxy.delay(delay)
      }
      dataSource = await new DataSource({
        ...options,
        ...(proxy && { port: proxy.port }),
        entities: [DBTaskResult],
        synchronize: true,
      } as DataSourceOptions).initialize()
      configureTasks({
        default: {
          BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
          OPTIONS: { dataSource, leaseSeconds: LEASE_SECONDS },
        },
      })
    })

    // A worker that holds a row for ever must not hold the spec as well.
    afterAll(async () => {
      await worker.stop({ force: true })
      await dataSource.destroy()
      await proxy?.close()
    })

    it(`none of ${TASKS} tasks that are cancelled as they end stays RUNNING`, async () => {
      const running = () => dataSource.getRepository(DBTaskResult).countBy({ status: 'RUNNING' })
      const results = await brief.enqueueMany(Array.from({ length: TASKS }, () => []))
      worker = await startWorker({ concurrency: TASKS, interval: 20 })
      await until(() => runs.size === TASKS)

      for (let at = 0; at < TASKS; at += AT_ONCE)
        await Promise.all(
          results.slice(at, at + AT_ONCE).map((result, i) => cancelAndEnd(result, i, delay)),
        )
      await until(async () => (await running()) === 0)
      const report = await worker.stop()

      expect(report).toEqual({ started: TASKS, abandoned: 0 })
      const rows = await dataSource.getRepository(DBTaskResult).find()
      const ends = rows.map(({ status, exceptionClassPath }) => `${status} ${exceptionClassPath}`)
      const [done, cancelled] = ['SUCCESSFUL ', 'FAILED typeorm_tasks.TaskCancelled']
      expect(ends.filter((end) => end !== done && end !== cancelled)).toEqual([])
      // Else nothing was tried: some cancels must have come in time, and some must have met an outcome on its way.
      expect(ends.filter((end) => end === cancelled).length).toBeGreaterThan(0)
    }, 240_000)
  })
})

/** The end comes a little before, or after, the cancel: by less than the network takes, too. */
async function cancelAndEnd(result: TaskResult<unknown>, at: number, delay: number): Promise<void> {
  const lead = ((at % 5) - 2) * (1 + delay / 4)
  const end = async (): Promise<void> => {
    if (lead > 0) await sleep(lead)
    runs.get(result.id)!()
  }
  const cancel = async (): Promise<void> => {
    if (lead < 0) await sleep(-lead)
    await result.cancel()
  }
  await Promise.all([end(), cancel()])
}

/** Well within a lease: else a row that is left to its lease would look as if it had ended. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + (LEASE_SECONDS * 1_000) / 2
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('Some tasks did not end.')
    await sleep(20)
  }
}
