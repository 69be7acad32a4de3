import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import type { Counts } from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import { runUntilEmpty, startWorker } from '#start-worker'
import { claim, rescue } from '../contract/rows'
import { describeOnRedis, redisUrl } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'
import { add, catchLog, echo, type Line } from '../support/tasks'

const UUID = '01900000-0000-7000-8000-000000000000'

describeOnRedis('jobs that another program has added to a queue of ours', () => {
  const { prefix, redis, backend, key } = backendOnRedis()
  let queue: Queue
  let lines: Line[]

  beforeEach(() => {
    lines = catchLog()
    const { port, hostname, pathname } = new URL(redisUrl())
    const db = Number(pathname.slice(1))
    queue = new Queue('default', { prefix, connection: { host: hostname, port: +port, db } })
  })
  afterEach(() => queue.close())

  const told = () => lines.filter(([, line]) => line.includes('Another program adds jobs'))
  const claimsOf = async (id: string) => (await queue.getJob(id))?.attemptsStarted ?? 0

  it('are left alone by workers, with one line of the log for each name, also if a task has that name', async () => {
    await queue.add('send', { to: 'ann' }, { jobId: 'own' })
    await queue.add('send', ['ann'], { jobId: UUID })
    await queue.add(echo.name, {}, { jobId: 'echo' })
    const ours = await echo.enqueue('ours')
    const { name, data } = (await queue.getJob(ours.id)) ?? {}
    const copy = await queue.add(name ?? '', data)
    const worker = await startWorker({ interval: 20 })
    while (!(await ours.refresh()).isFinished) await sleep(10)
    await sleep(600)
    await worker.stop()

    expect(ours.status).toBe('SUCCESSFUL')
    const ids = ['own', UUID, 'echo', copy.id ?? '']
    expect(await Promise.all(ids.map(claimsOf))).toEqual([1, 1, 1, 1])
    expect(await queue.getJobCounts()).toMatchObject({ delayed: 4, active: 0, failed: 0 })
    expect(told()).toEqual([
      ['warn', expect.stringContaining(`("send") to "${prefix}:default"`)],
      ['warn', expect.stringContaining('an OPTIONS.prefix of its own')],
    ])
  })

  it('wait longer from claim to claim, up to a minute', async () => {
    await queue.add('send', {}, { jobId: 'own' })
    const store = await backend().openStore({})
    const delays: number[] = []
    for (let at = 0; at < 9; at++) {
      await claim(store, 1)
      delays.push((await queue.getJob('own'))?.delay ?? 0)
      await (await queue.getJob('own'))?.promote()
    }
    await store.close()

    for (const [at, delay] of delays.entries()) {
      expect(delay).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** at))
      expect(delay).toBeGreaterThanOrEqual(0.8 * Math.min(60_000, 1_000 * 2 ** at))
    }
  })

  it('keep no task from running that waits behind them', async () => {
    await queue.addBulk(Array.from({ length: 50 }, () => ({ name: 'send', data: {} })))
    const ours = await add.enqueue(1)
    const begun = Date.now()
    await runUntilEmpty({ concurrency: 1 })

    expect((await ours.refresh()).status).toBe('SUCCESSFUL')
    expect(Date.now() - begun).toBeLessThan(2_000)
  })

  it('are neither counted nor listed, by state or at all', async () => {
    for (const jobId of ['own', UUID]) await queue.add('send', {}, { jobId })
    const waits = await add.enqueue(1)
    const [finished] = await add.using({ queueName: 'mail' }).enqueueMany([[1]])
    await runUntilEmpty({ queues: ['mail'] })

    const none = { READY: 0, RUNNING: 0, SUCCESSFUL: 0, FAILED: 0, WAITING: 0 } satisfies Counts
    expect(await backend().counts()).toEqual({ ...none, READY: 1, SUCCESSFUL: 1 })
    expect(await backend().counts({ queues: ['default'] })).toEqual({ ...none, READY: 1 })
    expect(await backend().counts({ queues: ['mail'] })).toEqual({ ...none, SUCCESSFUL: 1 })
    const listed = async (query: object) =>
      (await backend().list({ limit: 10, ...query })).map(({ id }) => id)
    expect(await listed({ status: 'READY' })).toEqual([waits.id])
    expect(await listed({})).toEqual([finished?.id, waits.id])
  })

  it('are given back where their claim was lost, and never deleted with old results', async () => {
    await queue.add('send', {}, { jobId: 'own' })
    await queue.add('send', {}, { jobId: 'done' })
    await redis.lrem(key('default', 'wait'), 1, 'own')
    await redis.lpush(key('default', 'active'), 'own')
    await redis.lrem(key('default', 'wait'), 1, 'done')
    await redis.zadd(key('default', 'completed'), 1, 'done')
    const store = await backends.get('default').openStore({})
    expect(await rescue(store)).toMatchObject({ released: [], failed: [] })
    expect(await store.prune({ queues: null, minAge: 0, dryRun: false })).toBe(0)
    await store.close()

    expect(await queue.getJobCounts()).toMatchObject({ delayed: 1, completed: 1, active: 0 })
  })
})
