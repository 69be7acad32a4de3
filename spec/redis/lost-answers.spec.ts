import { Redis } from 'ioredis'
import { configureTasks, type TaskResult } from 'typeorm-tasks'
import { backends } from '#backend-registry'
import { BullMQBackend } from '../../backends/bullmq'
import { claim, idsOf, rescue } from '../contract/rows'
import { Proxy } from '../faults/kit/proxy'
import { add, catchLog, fail } from '../support/tasks'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { runUntilEmpty } from '#start-worker'

describeOnRedis('a connection that breaks between a command and its answer', () => {
  let proxy: Proxy
  const backend = () => backends.get('default')
  const prefix = freshPrefix()
  const url = new URL(redisUrl())

  beforeAll(async () => {
    catchLog()
    proxy = await Proxy.to({ host: url.hostname, port: Number(url.port) })
    const through = new URL(url)
    through.port = String(proxy.port)
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: ['default', 'mail'],
        OPTIONS: { connection: through.href, prefix },
      },
    })
  })
  afterAll(async () => {
    await backend().close()
    await proxy.close()
  })

  /** The second time its answer is lost: by then Redis has the script, so that the command does it. */
  async function twice<Answer>(ask: () => Promise<Answer>): Promise<[first: Answer, lost: Answer]> {
    const first = await ask()
    const before = proxy.lost
    proxy.loseReplyTo(/::call:/)
    const lost = await ask()
    expect(proxy.lost).toBe(before + 1)
    return [first, lost]
  }

  it('cancel of a task that waits says that it was cancelled', async () => {
    const results = await add.enqueueMany([[1], [2]])
    const cancel = () => backend().cancel(results.pop() as TaskResult<unknown>)
    expect(await twice(cancel)).toEqual([true, true])
  })

  it('retry gives the task, and counts one retry', async () => {
    const results = await fail.enqueueMany([['a'], ['b']])
    await runUntilEmpty({ queues: '*' })
    const [, lost] = await twice(() => backend().retry(results.pop()?.id ?? ''))
    expect([lost.status, lost.errors.length]).toEqual(['READY', 1])
    await runUntilEmpty({ queues: '*' })
  })

  it('resumeQueue says that the queue was paused', async () => {
    expect(
      await twice(async () => {
        await backend().pauseQueue('mail')
        return backend().resumeQueue('mail')
      }),
    ).toEqual([true, true])
  })

  it('pauseQueue tells the instant that is kept', async () => {
    const [, lost] = await twice(() => backend().pauseQueue('mail', { reason: 'why' }))
    expect(await backend().pausedQueues()).toEqual([lost])
    await backend().resumeQueue('mail')
  })

  it('removing and prioritising, of a dashboard, name the tasks that were changed', async () => {
    const browser = await backend().openBrowser()
    const results = await add.enqueueMany([[1], [2]])
    const ids = results.map(({ id }) => id)
    let next = ids.values()
    const one = () => [next.next().value ?? '']
    expect(await twice(() => browser.prioritise(one(), 5))).toEqual(ids.map((id) => [id]))
    next = ids.values()
    expect(await twice(() => browser.remove(one()))).toEqual(ids.map((id) => [id]))
    await browser.close()
  })

  it('pruning counts what it has deleted', async () => {
    const store = await backend().openStore({})
    const prune = async () => {
      await add.enqueueMany([[1], [2]])
      await runUntilEmpty({ queues: '*' })
      return store.prune({ queues: null, minAge: 0, failedMinAge: 0, dryRun: false })
    }
    await prune()
    expect(await twice(prune)).toEqual([2, 2])
    await store.close()
  })

  it('a claim is unsure, and what it took at first is given back by the next look', async () => {
    const results = await add.enqueueMany([[1], [2], [3]])
    const store = await backend().openStore({})
    const [first] = idsOf(await claim(store, 1))
    proxy.loseReplyTo(/:stalled/)
    const lost = await claim(store, 1)
    expect(lost.isUnsure).toBe(true)
    const running = () => backend().counts()
    expect((await running()).RUNNING).toBe(3)

    await rescue(store)
    expect((await running()).RUNNING).toBe(2)
    const [again] = idsOf(await claim(store, 1))
    expect([first, again, ...idsOf(lost)].toSorted()).toEqual(
      results.map(({ id }) => id).toSorted(),
    )
    await store.close()
  })

  it('leaves no answer for more than a minute', async () => {
    const redis = new Redis(redisUrl())
    const keys = await redis.keys(`${prefix}::call:*`)
    expect(keys.length).toBeGreaterThan(5)
    for (const key of keys) {
      const left = await redis.pttl(key)
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThanOrEqual(60_000)
    }
    redis.disconnect()
  })
})
