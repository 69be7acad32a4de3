import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { DataSource } from 'typeorm'
import {
  allBackends,
  configureTasks,
  DBTaskResult,
  getResult,
  type RunningWorker,
  startWorker,
  task,
} from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

const runs = new Map<string, number>()

const moved = ['mail.send', 'images.thumbnail', 'crm.sync'].map((name) =>
  task(
    name,
    async ({ taskResult }, call: number) => {
      runs.set(taskResult.id, (runs.get(taskResult.id) ?? 0) + 1)
      return call
    },
    { takesContext: true, queueName: 'mail' },
  ),
)

describeOnRedis('A task that moves from the database to Redis and back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'moving-'))
  let dataSource: DataSource
  let workers: RunningWorker[] = []

  beforeAll(async () => {
    const database = join(folder, 'app.sqlite')
    const options = { type: 'better-sqlite3', database, enableWAL: true } as const
    dataSource = new DataSource({ ...options, entities: [DBTaskResult], synchronize: true })
    await dataSource.initialize()
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: ['mail'],
        OPTIONS: { dataSource },
      },
      fast: {
        BACKEND: BullMQBackend,
        QUEUES: ['mail'],
        OPTIONS: { connection: redisUrl(), prefix: freshPrefix() },
      },
    })
    workers = await Promise.all(
      ['default', 'fast'].map((backend) => startWorker({ backend, queues: '*', startupDelay: 0 })),
    )
  })
  afterAll(async () => {
    await Promise.all(workers.map((worker) => worker.stop()))
    await Promise.all(allBackends().map((backend) => backend.close()))
    await dataSource.destroy()
    rmSync(folder, { recursive: true })
  })

  it('under load, by the alias alone, loses no call and runs none twice', async () => {
    const CALLS = 900
    const enqueued: { id: string; backend: string; call: number }[] = []
    for (let call = 0; call < CALLS; call += moved.length) {
      const backend = call >= CALLS / 3 && call < (2 * CALLS) / 3 ? 'fast' : 'default'
      const results = await Promise.all(
        moved.map((each, i) => each.using({ backend }).enqueue(call + i)),
      )
      enqueued.push(...results.map(({ id }, i) => ({ id, backend, call: call + i })))
      // Workers have their turns meanwhile.
      await nextTurn()
    }

    for (const { id, backend, call } of enqueued) {
      const result = await getResult(id, { backend })
      await result.wait({ timeout: 60_000 })
      expect({ backend: result.backend, value: result.returnValue, runs: runs.get(id) }).toEqual({
        backend,
        value: call,
        runs: 1,
      })
    }
    expect(runs.size).toBe(CALLS)
    await expect(Promise.all(allBackends().map((backend) => backend.counts()))).resolves.toEqual([
      expect.objectContaining({ SUCCESSFUL: (2 * CALLS) / 3, READY: 0, FAILED: 0 }),
      expect.objectContaining({ SUCCESSFUL: CALLS / 3, READY: 0, FAILED: 0 }),
    ])
  }, 120_000)
})
