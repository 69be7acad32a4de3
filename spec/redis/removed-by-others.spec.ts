import { Queue } from 'bullmq'
import { add, catchLog } from '../support/tasks'
import { describeOnRedis, redisUrl } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'
import { runUntilEmpty } from '#start-worker'

describeOnRedis('jobs that another program has removed', () => {
  const { prefix, redis, backend } = backendOnRedis()
  const url = new URL(redisUrl())
  const connection = {
    host: url.hostname,
    port: Number(url.port),
    db: Number(url.pathname.slice(1)),
  }
  const prune = async (dryRun = false): Promise<number> => {
    const store = await backend().openStore({})
    const deleted = await store.prune({ queues: null, dryRun, minAge: 3_600_000 })
    await store.close()
    return deleted
  }
  beforeEach(() => void catchLog())

  it('leave the index of all tasks when results are pruned, however many', async () => {
    await add.using({ queueName: 'mail' }).enqueueMany(Array.from({ length: 2_500 }, () => [1]))
    const stay = await add.enqueueMany([[1], [2]])
    await runUntilEmpty({ queues: ['default'] })
    const waits = await add.enqueue(3)
    const queue = new Queue('mail', { connection, prefix, skipMetasUpdate: true })
    await queue.obliterate({ force: true })
    await queue.close()
    expect(await redis.zcard(`${prefix}::ids`)).toBe(2_503)

    expect(await prune(true)).toBe(0)
    expect(await redis.zcard(`${prefix}::ids`)).toBe(2_503)
    expect(await prune()).toBe(0)
    const left = await redis.zrange(`${prefix}::ids`, 0, -1)
    expect(left).toEqual([...stay, waits].map(({ id }) => `${id}:default`))
    expect(await redis.keys(`${prefix}::swept`)).toEqual([])
    expect(await backend().counts()).toMatchObject({ READY: 1, SUCCESSFUL: 2 })
  })
})
