import type { DataSource } from 'typeorm'
import { atomic, configureTasks, DBTaskResult, runUntilEmpty, startWorker } from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { backends } from '#backend-registry'
import { task } from '#define'
import { describeEachDatabase } from '../support/databases'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

/** Far above the 8 to 25 ms that it takes on each database, and far below any interval: other specs run beside this one. */
const SLOW_MS = 200

/** What ran, by the argument, with how often. */
const runs = new Map<string, number>()
const note = task('relay.note', (name: string) => void runs.set(name, (runs.get(name) ?? 0) + 1), {
  backend: 'fast',
  queueName: 'mail',
})

describeOnRedis('the relay', () => {
  describeEachDatabase((database) => {
    let dataSource: DataSource

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    })
    beforeEach(async () => {
      runs.clear()
      await dataSource.getRepository(DBTaskResult).clear()
      configureTasks({
        fast: {
          BACKEND: BullMQBackend,
          QUEUES: ['mail', 'default'],
          OPTIONS: { connection: redisUrl(), prefix: freshPrefix(), dataSource },
        },
      })
    })
    afterEach(async () => {
      await backends.get('fast').close()
    })

    const rows = (): Promise<number> => dataSource.getRepository(DBTaskResult).count()
    const drain = () => runUntilEmpty({ backend: 'fast', queues: '*' })

    it('a task of a transaction is a row of the table, which runs on Redis after the commit', async () => {
      const result = await dataSource.transaction(async (manager) => {
        const inside = await note.using({ manager }).enqueue('committed')
        expect(await manager.getRepository(DBTaskResult).countBy({ backendName: 'fast' })).toBe(1)
        return inside
      })
      expect(result.status).toBe('READY')
      expect(result.backend).toBe('fast')
      expect(await rows()).toBe(1)
      await drain()
      expect(await rows()).toBe(0)
      expect([...runs]).toEqual([['committed', 1]])
      const { id } = result
      await result.refresh()
      expect([result.id, result.status]).toEqual([id, 'SUCCESSFUL'])
    })

    it('joins a transaction of atomic, and one that is rolled back leaves nothing', async () => {
      await atomic(dataSource, () => note.enqueue('atomic'))
      const rolledBack = atomic(dataSource, async () => {
        await note.enqueue('never')
        throw new Error('rolled back')
      })
      await expect(rolledBack).rejects.toThrow('rolled back')
      expect(await rows()).toBe(1)
      await drain()
      expect([...runs]).toEqual([['atomic', 1]])
    })

    it('goes to Redis at once outside of a transaction', async () => {
      await note.enqueue('direct')
      await note.using({ manager: dataSource.manager }).enqueue('manager')
      expect(await rows()).toBe(0)
      await drain()
      expect([...runs.keys()].toSorted()).toEqual(['direct', 'manager'])
    })

    it('starts as soon as the database tells of the commit', async () => {
      const worker = await startWorker({ backend: 'fast', queues: '*', interval: 5 })
      const times: number[] = []
      try {
        for (let i = 0; i < 60; i++) {
          const name = `timed ${i}`
          await dataSource.transaction((manager) => note.using({ manager }).enqueue(name))
          const committedAt = performance.now()
          while (!runs.has(name)) await new Promise((resolve) => setImmediate(resolve))
          times.push(performance.now() - committedAt)
        }
      } finally {
        await worker.stop()
      }
      const sorted = times.toSorted((a, b) => a - b)
      const [p50 = 0, p95 = 0] = [sorted[30], sorted[57]]
      process.stderr.write(
        `Relay on ${database.name}: from commit to start p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms\n`,
      )
      expect(p50).toBeLessThan(SLOW_MS)
    })
  })
})
