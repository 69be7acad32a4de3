import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { DataSource } from 'typeorm'
import { atomic, configureTasks, DBTaskResult, startWorker } from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { backends } from '#backend-registry'
import { task } from '#define'
import { describeEachDatabase } from '../support/databases'
import { describeOnRedis } from '../support/redis'
import { type RedisServer, startRedis } from '../support/servers/redis'
import { catchLog, type Line } from '../support/tasks'

const MIB = 1024 * 1024

const runs: number[] = []
const note = task('relay.sized', (text: string) => void runs.push(text.length), {
  backend: 'fast',
  queueName: 'mail',
})

describeOnRedis('a relay whose Redis refuses', () => {
  describeEachDatabase(
    (database) => {
      let dataSource: DataSource
      let server: RedisServer
      let redis: Redis
      let lines: Line[]

      beforeAll(async () => {
        dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
        server = await startRedis()
        redis = new Redis(server.url)
      })
      beforeEach(async () => {
        await dataSource.getRepository(DBTaskResult).clear()
        lines = catchLog()
        runs.length = 0
        const OPTIONS = { connection: server.url, prefix: 'refused', dataSource }
        configureTasks({ fast: { BACKEND: BullMQBackend, QUEUES: ['mail'], OPTIONS } })
      })
      afterEach(() => backends.get('fast').close())
      afterAll(async () => {
        redis.disconnect()
        await server.stop()
      })

      const inside = (...sizes: number[]) =>
        atomic(dataSource, () =>
          note.enqueueMany(sizes.map((size): [string] => ['x'.repeat(size)])),
        )
      const warned = (): string[] =>
        lines.filter(([level]) => level === 'warn').map(([, line]) => line)

      it('one row alone has the others run', async () => {
        await redis.config('SET', 'proto-max-bulk-len', String(MIB))
        await inside(1, MIB - 10, 2, 3, 4, 5, 6, 7, 8, 9)
        const worker = await startWorker({ backend: 'fast', queues: '*', interval: 0.1 })
        try {
          await until(() => runs.length === 9)
          expect(runs.toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
          expect(await dataSource.getRepository(DBTaskResult).count()).toBe(1)
          expect(warned().join()).toContain('Relay of TASKS.fast: rows could not be moved')
        } finally {
          await worker.stop()
          await redis.config('SET', 'proto-max-bulk-len', String(512 * MIB))
        }
      })

      it('for want of memory has the rows wait, and takes them when there is some again', async () => {
        await redis.config('SET', 'maxmemory', '1')
        await inside(1, 2)
        const worker = await startWorker({ backend: 'fast', queues: '*', interval: 0.1 })
        try {
          await until(() => warned().join().includes('The memory of Redis is full'))
          expect(await dataSource.getRepository(DBTaskResult).count()).toBe(2)
          await redis.config('SET', 'maxmemory', '0')
          await until(() => runs.length === 2)
        } finally {
          await worker.stop()
        }
      })

      it('to be there has the rows wait, and the worker come back', async () => {
        const worker = await startWorker({ backend: 'fast', queues: '*', interval: 0.1 })
        try {
          await server.kill()
          await inside(1)
          await sleep(1_500)
          expect(runs).toEqual([])
          await server.restart()
          await until(() => runs.length === 1)
        } finally {
          await worker.stop()
        }
      })
    },
    { only: ['sqlite', 'postgres'] },
  )
})

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 45_000
  while (!isSo() && Date.now() < deadline) await sleep(20)
  expect(isSo()).toBe(true)
}
