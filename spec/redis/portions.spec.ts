import { Redis } from 'ioredis'
import { BullMQBackend } from '../../backends/bullmq'
import { FIELD } from '../../backends/bullmq/job'
import type { Store } from '#lib/store'
import { claim, claimFilter, rescue } from '../contract/rows'
import { RedisRows } from '../contract/redis-rows'
import { describeOnRedis, freshPrefix } from '../support/redis'
import { type RedisServer, startRedis } from '../support/servers/redis'
import { catchLog } from '../support/tasks'

const MIB = 1024 * 1024

/** Nobody else is on this Redis, so that what it counts is what was asked. */
describeOnRedis('what a worker asks of Redis at a time', () => {
  let server: RedisServer
  let redis: Redis
  let prefix: string
  let rows: RedisRows
  let backend: BullMQBackend
  let store: Store

  beforeAll(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    catchLog()
    prefix = freshPrefix()
    rows = new RedisRows(server.url, prefix, ['default'])
    const options = { connection: server.url, prefix: `${prefix}-default` }
    backend = new BullMQBackend('default', { queues: ['default'], options })
    store = await backend.openStore({})
  })
  afterEach(async () => {
    await store.close()
    await backend.close()
    await rows.close()
  })

  const callsOf = async (command: string): Promise<number> => {
    const stats = await redis.info('commandstats')
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }

  it('a claim of large tasks ends at 16 MiB, and the next ones take the rest', async () => {
    const call = JSON.stringify({ args: ['x'.repeat(MIB)], kwargs: {} })
    for (const id of await rows.addMany(40)) await rows.tamper(id, { args_kwargs: call })

    const first = (await claim(store, 40)).claimed
    expect(first.length).toBeGreaterThanOrEqual(15)
    expect(first.length).toBeLessThanOrEqual(17)
    const portions = (await claim(store, 600)).claimed
    // A portion of each script, and the job that is at its end.
    expect(portions.length).toBeLessThanOrEqual(24)
    expect(portions.length).toBeGreaterThanOrEqual(12)
    for (let left = 40 - first.length - portions.length; left > 0;) {
      const { claimed } = await claim(store, 40)
      expect(claimed.length).toBeGreaterThan(0)
      left -= claimed.length
    }
  }, 60_000)

  it('lost tasks are found among many that run, without the whole list in one answer', async () => {
    const ids = await rows.addMany(2_500)
    for (let left = 2_500; left > 0; left -= 500) await claim(store, 500)
    const lost = [0, 1_200, 2_499].map((at) => ids[at] ?? '')
    for (const id of lost) await rows.expire(id)
    const monitor = await redis.monitor()
    const asked: string[][] = []
    monitor.on('monitor', (_time: string, args: string[]) => void asked.push(args))

    const { released } = await rescue(store)
    await redis.ping()
    monitor.disconnect()

    expect(released.toSorted()).toEqual(lost.toSorted())
    const looks = asked.filter(([command]) => command?.toLowerCase() === 'lrange')
    expect(looks.map(([, , from]) => Number(from))).toEqual(
      expect.arrayContaining([-1000, -2000, -3000]),
    )
    for (const [, , from, until] of looks)
      expect(Number(until) - Number(from)).toBeLessThanOrEqual(999)
  }, 60_000)

  it('a prune of one task looks at names once, and the next one at those that have finished since', async () => {
    await finish(2_000)
    const query = {
      queues: null,
      tasks: [{ name: 'spec.rare', minAge: 1_000 }],
      dryRun: false,
    }
    const namesRead = async (): Promise<number> => {
      const before = await callsOf('hget')
      expect(await store.prune(query)).toBe(0)
      return (await callsOf('hget')) - before
    }
    const [first, second] = [await namesRead(), await namesRead()]
    expect(first).toBeGreaterThanOrEqual(2_000)
    expect(second).toBe(0)

    const [id = ''] = await finish(1)
    await redis.hset(`${prefix}-default:default:${id}`, { name: 'spec.rare' })
    await redis.zadd(`${prefix}-default:default:completed`, Date.now() - 1_500, id)
    expect(await store.prune(query)).toBe(1)
  }, 60_000)

  it('ages of several tasks are told apart', async () => {
    const ids = await finish(4)
    const names = ['spec.short', 'spec.long', 'spec.never', 'spec.other']
    for (const [at, id] of ids.entries()) {
      await redis.hset(`${prefix}-default:default:${id}`, { name: names[at] ?? '' })
      expect(await redis.hexists(`${prefix}-default:default:${id}`, FIELD.member)).toBe(0)
    }
    const tasks = [
      { name: 'spec.short', minAge: 1_000 },
      { name: 'spec.long', minAge: 999 * 86_400_000 },
      { name: 'spec.never' },
    ]
    expect(await store.prune({ queues: null, minAge: 60_000, tasks, dryRun: true })).toBe(2)
    expect(await store.prune({ queues: null, minAge: 60_000, tasks, dryRun: false })).toBe(2)
    const left = await redis.zrange(`${prefix}-default:default:completed`, 0, -1)
    expect(left.toSorted()).toEqual([ids[1], ids[2]].toSorted())
  })

  /** So many tasks that have finished a day ago. */
  async function finish(count: number): Promise<string[]> {
    const ids = await rows.addMany(count)
    for (let left = count; left > 0; left -= 500) {
      const { claimed } = await claim(store, 500)
      const outcomes = claimed.map(({ key, claims }) => ({
        key,
        claims,
        status: 'SUCCESSFUL' as const,
        returnValue: null,
      }))
      await store.exchange(outcomes, 0, claimFilter())
    }
    const at = Date.now() - 86_400_000
    for (const id of ids) await redis.zadd(`${prefix}-default:default:completed`, at, id)
    return ids
  }
})
