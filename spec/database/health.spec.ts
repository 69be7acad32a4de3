import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  pauseQueue,
  resumeQueue,
  taskEntities,
  type WorkerHealth,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { startWorker, type RunningWorker } from '#start-worker'
import { describeEachDatabase } from '../support/databases'
import { catchLog, patient } from '../support/tasks'

describeEachDatabase((database) => {
  let dataSource: DataSource
  let worker: RunningWorker

  beforeEach(async () => {
    catchLog()
    dataSource = await database.connect({ entities: [...taskEntities], synchronize: true })
    configureTasks({
      default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource, leaseSeconds: 3 } },
    })
    worker = await startWorker({ interval: 100, workerId: 'w', concurrency: 1 })
  })
  afterEach(async () => {
    await worker.stop({ force: true }).catch(() => {})
    await dataSource.destroy()
  })

  async function becomes(expected: Partial<WorkerHealth>): Promise<void> {
    const deadline = Date.now() + 15_000
    const isSo = (): boolean => {
      const health = worker.health()
      return Object.entries(expected).every(
        ([key, value]) => String(health[key as keyof WorkerHealth]) === String(value),
      )
    }
    while (!isSo()) {
      if (Date.now() > deadline) expect(worker.health()).toMatchObject(expected)
      await sleep(20)
    }
  }

  it('a worker is ready once it was answered, and tells what runs and what is paused', async () => {
    await becomes({ live: true, ready: true, started: true })

    await pauseQueue('default')
    await becomes({ ready: true, paused: ['default'] })
    await resumeQueue('default')
    await becomes({ paused: [] })
    await patient.enqueue()
    await becomes({ live: true, ready: true, running: 1 })

    const stopped = worker.stop()
    expect(worker.health()).toMatchObject({ live: true, ready: false, state: 'stopping' })
    await worker.stop({ force: true })
    await stopped
    expect(worker.health()).toMatchObject({ live: true, ready: false, state: 'ended', running: 0 })
  })

  it('a worker whose table is away is not ready; once it has failed, it is not live either', async () => {
    await becomes({ ready: true })
    await dataSource.query('ALTER TABLE db_task_result RENAME TO moved')

    await becomes({ live: true, ready: false, database: 'away' })
    await dataSource.query('ALTER TABLE moved RENAME TO db_task_result')
    await becomes({ live: true, ready: true, database: 'up' })

    await dataSource.query('DROP TABLE db_task_result')
    await becomes({ live: false, ready: false, state: 'failed' })
    await expect(worker.finished).rejects.toThrow('db_task_result')
  })
})
