import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { configureTasks, pauseQueue, resumeQueue, task, type WorkerHealth } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { DatabaseUnreachableError } from '../../lib/errors/errors'
import { backends } from '../../lib/backend-registry'
import { type RunningWorker, startWorker } from '#start-worker'
import { describeOnRedis, freshPrefix } from '../support/redis'
import { type RedisServer, startRedis } from '../support/servers/redis'
import { becomes as healthBecomes } from '../support/healthy'
import { catchLog, patient } from '../support/tasks'

const seen: unknown[] = []
const note = task('redisWorker.note', (value: number) => void seen.push(value))
const stubborn = task('redisWorker.stubborn', () => sleep(60_000, undefined, { ref: false }))

describeOnRedis('a worker', () => {
  let server: RedisServer
  let worker: RunningWorker

  beforeAll(async () => {
    server = await startRedis({ appendonly: true })
  })
  afterAll(() => server.stop())
  beforeEach(async () => {
    catchLog()
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: ['default'],
        OPTIONS: { connection: server.url, prefix: freshPrefix(), leaseSeconds: 3 },
      },
    })
    worker = await startWorker({ interval: 100, workerId: 'w', concurrency: 1 })
  })
  afterEach(async () => {
    await worker.stop({ force: true }).catch(() => {})
    await backends.get('default').close()
  })

  const becomes = (expected: Partial<WorkerHealth>): Promise<void> =>
    healthBecomes(worker, expected)

  it('is ready once it was answered, and tells what runs and what is paused', async () => {
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

  it('is live and not ready while Redis is away, and goes on once it is back', async () => {
    await becomes({ ready: true })
    const { id } = await note.enqueue(1)
    while (seen.length < 1) await sleep(20)
    await server.kill()
    await becomes({ live: true, ready: false, database: 'away' })
    await server.restart()
    await becomes({ live: true, ready: true, database: 'up' })
    await note.enqueue(2)
    while (seen.length < 2) await sleep(20)
    expect(seen).toEqual([1, 2])
    expect((await backends.get('default').getResult(id)).status).toBe('SUCCESSFUL')
  })

  it('starts a task within milliseconds of its enqueue, and hears of a cancel before it asks', async () => {
    await worker.stop()
    worker = await startWorker({ interval: 30_000, concurrency: 2 })
    await becomes({ ready: true })
    await sleep(300)
    const running = await patient.enqueue()
    const begun = Date.now()
    while ((await running.refresh()).status !== 'RUNNING') await sleep(5)
    expect(Date.now() - begun).toBeLessThan(2_000)
    await running.cancel()
    while (!(await running.refresh()).isFinished) await sleep(5)
    expect(Date.now() - begun).toBeLessThan(4_000)
    expect(running.errors.at(-1)?.exceptionClassPath).toContain('TaskCancelled')
  })

  it('gives back what it runs when it is stopped by force, for another one', async () => {
    const running = await stubborn.enqueue()
    while ((await running.refresh()).status !== 'RUNNING') await sleep(10)
    await worker.stop({ force: true })
    while ((await running.refresh()).status === 'RUNNING') await sleep(50)
    expect((await running.refresh()).status).toBe('READY')
    await running.cancel()
  })

  it('waits at its start for a Redis that is away, and fails if that takes longer than ten seconds', async () => {
    await worker.stop()
    await server.kill()
    const starting = startWorker({ interval: 100 })
    await sleep(700)
    await server.restart()
    worker = await starting
    await becomes({ ready: true })
    await worker.stop()

    await server.kill()
    const begun = Date.now()
    const failure = await startWorker().catch((error: unknown) => error)
    await server.restart()
    expect(failure).toBeInstanceOf(DatabaseUnreachableError)
    expect((failure as Error).message).toContain('Redis (TASKS.default) cannot be reached')
    expect(Date.now() - begun).toBeGreaterThan(5_000)
    expect(Date.now() - begun).toBeLessThan(20_000)
  }, 60_000)

  it('says of a task whose job is gone that it is gone from Redis', async () => {
    const lines = catchLog()
    const running = await patient.enqueue()
    while ((await running.refresh()).status !== 'RUNNING') await sleep(10)
    const redis = new Redis(server.url)
    await redis.flushall()
    redis.disconnect()
    const gone = 'is lost, since its job is gone from Redis; the result of claim 1 is discarded'
    while (!lines.some(([, line]) => line.includes(gone))) await sleep(20)
    expect(lines.filter(([, line]) => line.includes('taken over'))).toEqual([])
  })
})
