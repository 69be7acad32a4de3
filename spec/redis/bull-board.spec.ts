import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from 'node:http'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import { Queue } from 'bullmq'
import express from 'express'
import { ResultNotFoundError, task } from 'typeorm-tasks'
import { runUntilEmpty } from '#start-worker'
import { Program, until } from '../support/cli-app'
import { newApp } from '../support/linked-app'
import { blocksOf } from '../support/markdown'
import { freePort } from '../support/servers/free-port'
import { add, catchLog } from '../support/tasks'
import { describeOnRedis, redisUrl } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'

let isBroken = true
const deliver = task(
  'board.deliver',
  async (context, to: string) => {
    context.reportProgress(3, 4, 'nearly')
    if (isBroken) throw new RangeError(`no such address: ${to}`)
    return 'delivered'
  },
  { takesContext: true, queueName: 'mail' },
)

interface Shown {
  readonly id: string
  readonly name: string
  readonly data: unknown
  readonly progress: unknown
  readonly failedReason?: string
  readonly stacktrace: readonly string[]
  readonly returnValue: unknown
}

describeOnRedis('bull-board on the queues of a backend', () => {
  const { prefix, backend } = backendOnRedis()
  const work = () => runUntilEmpty({ queues: '*' })
  let queue: Queue
  let server: Server

  beforeAll(async () => {
    queue = new Queue('mail', { connection: { url: redisUrl() }, prefix })
    const serverAdapter = new ExpressAdapter()
    createBullBoard({ queues: [new BullMQAdapter(queue)], serverAdapter })
    const app = express()
    app.use('/', serverAdapter.getRouter() as express.Router)
    await new Promise<void>((resolve) => (server = app.listen(0, '127.0.0.1', () => resolve())))
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await queue.close()
  })
  beforeEach(() => {
    catchLog()
    isBroken = true
  })

  async function ask(path: string, method = 'GET'): Promise<unknown> {
    const { port } = server.address() as AddressInfo
    const answer = await fetch(`http://127.0.0.1:${port}/api/queues${path}`, { method })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }
  const shown = async (status: string): Promise<readonly Shown[]> => {
    const { queues } = (await ask(`?activeQueue=mail&status=${status}&page=1`)) as {
      queues: { name: string; jobs: Shown[] }[]
    }
    return queues.find(({ name }) => name === 'mail')?.jobs ?? []
  }
  const press = (id: string, button: string) => ask(`/mail/${id}/${button}`, 'PUT')

  it('shows name, arguments, progress, the reason of the failure and its stack', async () => {
    const failed = await deliver.enqueue('ann')
    await work()

    expect(await shown('failed')).toEqual([
      expect.objectContaining({
        id: failed.id,
        name: 'board.deliver',
        data: expect.objectContaining({ args: ['ann'], kwargs: {} }) as unknown,
        progress: expect.objectContaining({ done: 3, total: 4, note: 'nearly' }) as unknown,
        failedReason: 'RangeError: no such address: ann',
        stacktrace: [expect.stringMatching(/^RangeError: no such address: ann\n {4}at /)],
      }),
    ])

    isBroken = false
    const done = await deliver.enqueue('bob')
    await work()
    expect(await shown('completed')).toEqual([
      expect.objectContaining({ id: done.id, returnValue: 'delivered' }),
    ])
  })

  it('shows a task that was cancelled as failed, with the reason', async () => {
    const result = await deliver.enqueue('ann')
    await result.cancel()

    const [job] = await shown('failed')
    expect(job?.failedReason).toMatch(/^TaskCancelled: /)
    expect(job?.id).toBe(result.id)
  })

  it('its retry has a task run again', async () => {
    const result = await deliver.enqueue('ann')
    await work()
    isBroken = false
    await press(result.id, 'retry')

    expect((await result.refresh()).status).toBe('READY')
    await work()
    expect((await result.refresh()).returnValue).toBe('delivered')
  })

  it('its retry keeps what is known of the attempts before, and takes the unique key again', async () => {
    const keyed = deliver.using({ uniqueKey: 'hot' })
    const result = await keyed.enqueue('ann')
    for (let attempt = 1; attempt <= 3; attempt++) {
      await work()
      await result.refresh()
      expect([result.status, result.errors.length, result.workerIds.length]).toEqual([
        'FAILED',
        attempt,
        attempt,
      ])
      await press(result.id, 'retry')
      await result.refresh()
      expect([result.status, result.errors.length]).toEqual(['READY', attempt])
    }
    isBroken = false
    const store = await backend().openStore({})
    const filter = { workerId: 'w', queues: null, excludeQueues: [] }
    const { claimed } = await store.exchange([], 1, filter)
    expect(claimed[0]?.values.errors).toHaveLength(3)
    // It is written after the claim, by another connection than ours.
    await sleep(50)
    expect((await keyed.enqueue('ann')).id).toBe(result.id)
    await store.release(claimed)
    await store.close()
    await work()
    await result.refresh()
    expect([result.returnValue, result.errors.length, result.attempts]).toEqual(['delivered', 3, 4])
    expect((await keyed.enqueue('ann')).isDuplicate).toBe(false)
  })

  it('what it removes is gone', async () => {
    const [waiting, other] = [await deliver.enqueue('ann'), await deliver.enqueue('bob')]
    await press(waiting.id, 'clean')

    await expect(backend().getResult(waiting.id)).rejects.toThrow(ResultNotFoundError)
    expect((await backend().list({ limit: 5 })).map(({ id }) => id)).toEqual([other.id])
    expect((await backend().counts()).READY).toBe(1)
  })

  it('a unique key of what it removes is free', async () => {
    const keyed = add.using({ queueName: 'mail', uniqueKey: 'one' })
    await press((await keyed.enqueue(1)).id, 'clean')

    expect((await keyed.enqueue(2)).isDuplicate).toBe(false)
  })

  it('what it promotes runs at once', async () => {
    const later = add.using({ queueName: 'mail', runAfter: new Date(Date.now() + 3_600_000) })
    const result = await later.enqueue(1)
    await press(result.id, 'promote')
    await work()

    expect((await result.refresh()).returnValue).toBe(11)
  })

  it('is shown by the program of the documentation, which finds no workers of BullMQ', async () => {
    const [block] = blocksOf('docs/operations/redis.md').filter(({ file }) => file === 'board.mjs')
    const root = newApp(['@bull-board', 'bullmq', 'express'])
    writeFileSync(join(root, 'board.mjs'), block?.text.replace("'shop'", `'${prefix}'`) ?? '')
    const port = await freePort()
    await deliver.enqueue('ann')
    const program = new Program(root, 'board.mjs', [], { PORT: `${port}`, REDIS_URL: redisUrl() })
    const look = () => fetch(`http://127.0.0.1:${port}/board/api/queues`)
    const isUp = () =>
      look().then(
        ({ ok }) => ok,
        () => false,
      )
    try {
      await until(isUp, () => program.log)
      const { queues } = (await (await look()).json()) as { queues: { name: string }[] }
      expect(queues.map(({ name }) => name)).toEqual(['mail', 'mail+'])
      expect(await queue.getWorkers()).toEqual([])
    } finally {
      program.kill('SIGTERM')
      await program.exited
    }
  })

  it('its pause is one, and its resume ends it', async () => {
    const result = await add.using({ queueName: 'mail' }).enqueue(1)
    await ask('/mail/pause', 'PUT')
    expect(await backend().pausedQueues()).toMatchObject([{ queue: 'mail' }])
    await work()
    expect((await result.refresh()).status).toBe('READY')

    await ask('/mail/resume', 'PUT')
    await work()
    expect((await result.refresh()).status).toBe('SUCCESSFUL')
  })
})
