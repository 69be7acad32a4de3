import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { backends } from '../../lib/backend-registry'
import { BullMQBackend } from '../../backends/bullmq'
import type { Store } from '#lib/store'
import { runUntilEmpty, startWorker } from '#start-worker'
import { add, catchLog } from '../support/tasks'
import { describeOnRedis, redisUrl } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'

describeOnRedis('pauses of queues on Redis', () => {
  const { prefix, backend, another } = backendOnRedis()
  const mailed = add.using({ queueName: 'mail' })
  let store: Store
  let board: Queue

  beforeEach(async () => {
    catchLog()
    store = await backend().openStore({})
    board = new Queue('mail', { connection: { url: redisUrl() }, prefix })
  })
  afterEach(async () => {
    await store.close()
    await board.close()
  })

  it('keeps a pause, tells stores of it, replaces it, and ends it', async () => {
    const until = new Date(Date.now() + 3_600_000)
    const first = await backend().pauseQueue('mail', { reason: 'provider "down": 障害', until })

    expect(first).toMatchObject({ queue: 'mail', until, reason: 'provider "down": 障害' })
    expect(Math.abs(first.at.getTime() - Date.now())).toBeLessThan(20_000)
    expect(await store.pausedQueues?.()).toEqual([first])
    expect(await another().pausedQueues()).toEqual([first])
    expect(await board.isPaused()).toBe(true)

    const second = await another().pauseQueue('mail')
    expect(second).toMatchObject({ until: null, reason: null })
    await backend().pauseQueue('default')
    expect(await store.pausedQueues?.()).toMatchObject([{ queue: 'default' }, second])

    expect(await backend().resumeQueue('mail')).toBe(true)
    expect(await backend().resumeQueue('mail')).toBe(false)
    expect(await store.pausedQueues?.()).toMatchObject([{ queue: 'default' }])
    expect(await board.isPaused()).toBe(false)
  })

  it('refuses an end that is past, and a queue that it does not have', async () => {
    await expect(backend().pauseQueue('mail', { until: new Date(0) })).rejects.toThrow(
      'by the clock of Redis it is',
    )
    await expect(backend().pauseQueue('mial')).rejects.toThrow('Did you mean "mail"?')
    expect(await backend().pausedQueues()).toEqual([])
  })

  it('many pauses of one queue at once leave one', async () => {
    await Promise.all(Array.from({ length: 8 }, () => another().pauseQueue('mail')))

    expect(await store.pausedQueues?.()).toHaveLength(1)
  })

  it('what is enqueued waits, urgent tasks too, and runs once the queue is resumed', async () => {
    await backend().pauseQueue('mail')
    const results = [await mailed.enqueue(1), await mailed.using({ priority: 9 }).enqueue(2)]
    results.push(await add.enqueue(3))
    await runUntilEmpty({ queues: '*' })

    const statuses = async () =>
      Promise.all(results.map(async (each) => (await each.refresh()).status))
    expect(await statuses()).toEqual(['READY', 'READY', 'SUCCESSFUL'])
    await backend().resumeQueue('mail')
    await runUntilEmpty({ queues: '*' })
    expect(await statuses()).toEqual(['SUCCESSFUL', 'SUCCESSFUL', 'SUCCESSFUL'])
  })

  it('a pause ends by itself at its time, where a worker is', async () => {
    const worker = await startWorker({ queues: '*', interval: 100 })
    await backend().pauseQueue('mail', { until: new Date(Date.now() + 1_500) })
    const result = await mailed.enqueue(1)
    await sleep(500)
    expect((await result.refresh()).status).toBe('READY')

    await result.wait({ timeout: 15_000 })
    await worker.stop()
    expect(result.status).toBe('SUCCESSFUL')
    expect(await board.isPaused()).toBe(false)
  })

  it("BullMQ's own pause is one, of urgent tasks too, and its resume ends ours", async () => {
    await board.pause()
    const urgent = await mailed.using({ priority: 9 }).enqueue(1)
    expect(await store.pausedQueues?.()).toMatchObject([
      { queue: 'mail', until: null, reason: null },
    ])
    await runUntilEmpty({ queues: '*' })
    expect((await urgent.refresh()).status).toBe('READY')

    await backend().pauseQueue('mail', { reason: 'ours' })
    await board.resume()
    expect(await store.pausedQueues?.()).toEqual([])
    await runUntilEmpty({ queues: '*' })
    expect((await urgent.refresh()).status).toBe('SUCCESSFUL')
  })

  it('pauses of a backend with other keys are its own', async () => {
    const other = new BullMQBackend('other', {
      queues: ['mail'],
      options: { connection: redisUrl(), prefix: `${prefix}-other` },
    })
    await backends.get('default').pauseQueue('mail')

    expect(await other.pausedQueues()).toEqual([])
    await other.close()
  })
})
