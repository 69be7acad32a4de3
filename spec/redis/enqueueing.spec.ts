import { Redis } from 'ioredis'
import { configureTasks, DatabaseError, taskEnqueued } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'
import { catchLog, echo } from '../support/tasks'
import { describeOnRedis } from '../support/redis'
import { backendOnRedis } from '../support/redis-backend'
import { type RedisServer, type RedisSettings, startRedis } from '../support/servers/redis'

const MIB = 1024 * 1024

describeOnRedis('enqueues on Redis', () => {
  const { backend, redis, key } = backendOnRedis()
  let server: RedisServer | undefined

  beforeEach(() => void catchLog())
  afterEach(async () => {
    await backends.get('default').close()
    await server?.stop()
    server = undefined
  })

  /** Puts the backend on a Redis of its own. */
  async function own(settings: RedisSettings = {}): Promise<RedisServer> {
    await backends.get('default').close()
    server = await startRedis(settings)
    on(server.url)
    return server
  }
  const on = (connection: string): void => {
    configureTasks({
      default: { BACKEND: BullMQBackend, QUEUES: ['default'], OPTIONS: { connection } },
    })
  }

  it('ten thousand at once are all there, in order, however they are sent', async () => {
    const results = await echo.enqueueMany(Array.from({ length: 10_000 }, (_, i) => [i]))

    expect(results.map(({ args }) => args[0])).toEqual(Array.from({ length: 10_000 }, (_, i) => i))
    expect((await backend().counts()).READY).toBe(10_000)
    const [oldest] = await redis.lrange(key('default', 'wait'), -1, -1)
    expect(oldest).toBe(results[0]?.id)
  })

  it('what is added with many is as if it were alone, in order, and with its index', async () => {
    const alone = await echo.enqueue(0)
    await redis.script('FLUSH')
    const many = await echo.enqueueMany(Array.from({ length: 250 }, (_, i) => [i + 1]))
    const hash = async (id: string): Promise<object> => redis.hgetall(key('default', id))

    const [one, first] = await Promise.all([hash(alone.id), hash(many[0]?.id ?? '')])
    expect({ ...first, data: '', timestamp: '' }).toEqual({ ...one, data: '', timestamp: '' })
    const ids = [alone, ...many].map(({ id }) => id)
    expect((await redis.lrange(key('default', 'wait'), 0, -1)).toReversed()).toEqual(ids)
    expect(await redis.zrange(key('', 'ids'), 0, -1)).toEqual(ids.map((id) => `${id}:default`))
  })

  it('what Redis says of jobs that are added together is told', async () => {
    await redis.set(key('default', 'wait'), 'of another program')
    await expect(echo.enqueueMany(Array.from({ length: 5 }, (_, i) => [i]))).rejects.toThrow(
      'WRONGTYPE',
    )
    await redis.del(key('default', 'wait'))
    await echo.enqueueMany(Array.from({ length: 5 }, (_, i) => [i]))

    expect(await redis.llen(key('default', 'wait'))).toBe(5)
  })

  it('enqueues side by side are a few commands', async () => {
    const { url } = await own()
    await echo.enqueue('tells idle workers')
    const statistics = new Redis(url)
    await statistics.config('RESETSTAT')
    await Promise.all(Array.from({ length: 250 }, (_, i) => echo.enqueue(i)))

    // 50 each, and one now and then that tells idle workers.
    expect(await commandsSent(statistics)).toBeLessThanOrEqual(25)
    statistics.disconnect()
    expect((await backend().counts()).READY).toBe(251)
  })

  it('enqueues side by side have each their own answer', async () => {
    const results = await Promise.all(
      Array.from({ length: 250 }, (_, i) =>
        echo.using({ queueName: i % 2 === 0 ? 'default' : 'mail' }).enqueue(i),
      ),
    )

    expect(results.map(({ args }) => args[0])).toEqual(Array.from({ length: 250 }, (_, i) => i))
    const ofDefault = results.filter((_, i) => i % 2 === 0).map(({ id }) => id)
    const waiting = await redis.lrange(key('default', 'wait'), 0, -1)
    expect(waiting.toReversed()).toEqual(ofDefault)
    expect(await redis.llen(key('mail', 'wait'))).toBe(125)

    await redis.set(key('mail', 'wait'), 'of another program')
    const answers = await Promise.allSettled([
      ...['a', 'b'].map((word) => echo.using({ queueName: 'mail' }).enqueue(word)),
      ...['c', 'd'].map((word) => echo.enqueue(word)),
    ])
    expect(answers.map(({ status }) => status)).toEqual([
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    await redis.del(key('mail', 'wait'))
  })

  it('a result that is read is the one that was given', async () => {
    const runAfter = new Date(Date.now() + 60_000)
    const given = await Promise.all([
      echo.enqueue({ a: [1, 'two'] }),
      echo.using({ priority: 100, queueName: 'mail' }).enqueue(1),
      echo.using({ priority: -100, uniqueKey: 'one' }).enqueue(1),
      echo.using({ runAfter, throttle: { key: 'two', every: 1_000 } }).enqueue(1),
      echo.using({ debounce: { key: 'three', wait: 5_000 } }).enqueue(1),
      echo.using({ retry: { maxAttempts: 3 }, maxAge: 60_000 }).enqueue(1),
    ])

    for (const result of given)
      expect((await backend().getResult(result.id)).toJSON()).toEqual(result.toJSON())
  })

  it('a Redis that is full says so, and what of many is written', async () => {
    const { url } = await own({ maxmemory: '4mb' })
    let heard = 0
    const disconnect = taskEnqueued.connect(() => void (heard += 1))
    const large = 'x'.repeat(2_000)

    const all = echo.enqueueMany(Array.from({ length: 3_000 }, () => [large]))
    await expect(all).rejects.toMatchObject({
      name: DatabaseError.name,
      message: expect.stringMatching(
        /^\d+ of 3000 tasks of one enqueueMany are enqueued; then Redis failed: The memory of Redis is full/,
      ) as string,
      hint: expect.stringMatching(
        /^Enqueue the others again: calls\[\d+\] to calls\[\d+\]/,
      ) as string,
    })
    disconnect()
    const redis = new Redis(url)
    const written = await redis.llen('tasks-default:default:wait')
    // What connections took for the many is free again, and may be enough for one.
    await redis.config('SET', 'maxmemory', '1')
    redis.disconnect()
    expect(written).toBeGreaterThan(100)
    expect(heard).toBe(written)
    await all.catch(({ message }: Error) => expect(message).toContain(`${written} of 3000 `))

    await expect(echo.enqueue(large)).rejects.toMatchObject({
      name: DatabaseError.name,
      hint: expect.stringContaining('maxmemory') as string,
    })
  })

  it('a password that is missing or wrong is told', async () => {
    const { port } = await own({ requirepass: 'right' })
    for (const [url, hint] of [
      [`redis://127.0.0.1:${port}`, 'OPTIONS.connection'],
      [`redis://:wrong@127.0.0.1:${port}`, 'OPTIONS.connection'],
    ] as const) {
      await backends.get('default').close()
      on(url)
      const error = await echo.enqueue(1).then(String, (reason: unknown) => reason)
      expect(error).toMatchObject({ hint: expect.stringContaining(hint) as string })
      expect(String(error)).not.toContain('wrong@')
    }
  })

  it('a value that this Redis does not take is told', async () => {
    const { url } = await own()
    const redis = new Redis(url)
    await redis.config('SET', 'proto-max-bulk-len', String(MIB))
    redis.disconnect()

    await expect(echo.enqueue('x'.repeat(MIB - 30))).rejects.toMatchObject({
      hint: expect.stringContaining('Pass a reference') as string,
    })
    await expect(echo.enqueue('small')).resolves.toMatchObject({ status: 'READY' })
  })

  it('a Redis that has forgotten its scripts is told them again', async () => {
    await echo.enqueue(1)
    await redis.script('FLUSH')
    const [one] = await Promise.all([echo.enqueue(2), echo.enqueueMany([[3], [4]])])

    expect((await backend().getResult(one.id)).args).toEqual([2])
    expect((await backend().counts()).READY).toBe(4)
  })

  it('one that stops fails an enqueue within seconds, and takes the next one when it is back', async () => {
    const stopped = await own()
    await echo.enqueue(1)
    await stopped.kill()
    const begun = Date.now()

    await expect(echo.enqueue(2)).rejects.toThrow('cannot be reached')
    expect(Date.now() - begun).toBeLessThan(15_000)
    await stopped.restart()
    for (;;) {
      const again = await echo.enqueue(3).catch(() => undefined)
      if (again) break
    }
  })
})

/** Commands with a script that clients sent since the statistics began. */
async function commandsSent(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)]
  return calls.reduce((sum, [, count]) => sum + Number(count), 0)
}
