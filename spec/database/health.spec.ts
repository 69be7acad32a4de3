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
import { becomes as healthBecomes } from '../support/healthy'
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

  const becomes = (expected: Partial<WorkerHealth>): Promise<void> =>
    healthBecomes(worker, expected)

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
