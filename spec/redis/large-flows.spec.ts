import type { Redis } from 'ioredis'
import { group, runUntilEmpty, task } from 'typeorm-tasks'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'

const ran: string[] = []
const part = task('largeFlows.part', (what: string) => void ran.push(what))
const whole = task('largeFlows.whole', () => void ran.push('whole'))
const text = 'x'.repeat(1_000)

const flowOf = (members: number, what = 'usual') =>
  group(Array.from({ length: members }, () => part.order(what))).next(() => whole.order())

describeOnRedis('a flow of more tasks than Redis takes at once', () => {
  const { ground, connection, prefix, configure } = redisApp({
    queues: ['default', 'other'],
    isAlone: true,
  })
  const client = () => connection().client
  const named = (...what: string[]) => connection().names.job('default', what.join(':'))

  afterEach(async () => {
    ran.length = 0
    await client().config('SET', 'maxmemory', '0')
    await ground.clear()
  })

  it('is there as a whole or not at all, to all who look', async () => {
    const seen = new Set<string>()
    let isWritten = false
    const enqueued = flowOf(6_000)
      .enqueue()
      .finally(() => (isWritten = true))
    while (!isWritten) {
      const counts = await client()
        .multi()
        .zcard(connection().names.ids)
        .llen(named('wait'))
        .zcard(named('waiting-children'))
        .exec()
      seen.add(String(counts?.map(([, count]) => count)))
    }
    const handle = await enqueued
    seen.add('6001,6000,1')
    expect([...seen]).toEqual(['0,0,0', '6001,6000,1'])

    const ids = (await handle.results()).map(({ id }) => id)
    expect((await client().lrange(named('wait'), 0, -1)).toReversed()).toEqual(ids.slice(0, 6_000))
    expect(await client().keys(`${prefix}::aside*`)).toEqual([])
    const keys = await client().keys(`${prefix}:*`)
    const kept = await Promise.all(keys.map((key) => client().pttl(key)))
    expect(new Set(kept)).toEqual(new Set([-1]))
  })

  it('runs in its queues, by priority, and not before its time', async () => {
    const later = new Date(Date.now() + 60_000)
    const orders = Array.from({ length: 2_100 }, (_, i) =>
      i < 2_000
        ? part.using({ queueName: i % 2 ? 'other' : 'default' }).order('usual')
        : part.using({ priority: i % 2 ? 5 : -5 }).order(i % 2 ? 'urgent' : 'idle'),
    )
    const { last } = await group([...orders, part.using({ runAfter: later }).order('later')])
      .next(() => whole.order())
      .enqueue()
    await runUntilEmpty({ queues: '*' })

    const times = (count: number, what: string) => Array.from({ length: count }, () => what)
    expect(ran).toEqual([
      ...times(50, 'urgent'),
      ...times(1_000, 'usual'),
      ...times(50, 'idle'),
      ...times(1_000, 'usual'),
    ])
    const [id = '', score] = await client().zrange(named('delayed'), 0, -1, 'WITHSCORES')
    expect(Math.floor(Number(score) / 0x1000)).toBe(later.getTime())
    expect((await part.getResult(id)).runAfter).toEqual(later)
    expect((await last.refresh()).isWaiting).toBe(true)
  })

  it('leaves nothing behind where Redis is full before it is written', async () => {
    await flowOf(1).enqueue()
    const before = await client().dbsize()
    const used = Number(/used_memory:(\d+)/.exec(await client().info('memory'))?.[1])
    await client().config('SET', 'maxmemory', String(used + 8_000_000))
    await expect(flowOf(20_000, text).enqueue()).rejects.toThrow(/memory of Redis is full/)

    expect(await client().zcard(connection().names.ids)).toBe(2)
    expect(await client().dbsize()).toBe(before)
  })

  it('leaves by itself what a process has written that died meanwhile', async () => {
    await flowOf(1).enqueue()
    const before = new Set(await client().keys('*'))
    const dying = client().duplicate() as Redis
    configure(dying)
    const failed = flowOf(20_000)
      .enqueue()
      .then(
        () => 'written',
        () => 'failed',
      )
    while ((await client().dbsize()) < before.size + 2_000) continue
    dying.disconnect()
    expect(await failed).toBe('failed')
    configure()

    const keys = (await client().keys('*')).filter((key) => !before.has(key))
    expect(keys.length).toBeGreaterThan(1_000)
    const kept = await Promise.all(keys.map((key) => client().pttl(key)))
    expect(Math.min(...kept)).toBeGreaterThan(3_000_000)
    expect(await client().zcard(connection().names.ids)).toBe(2)
  })
})
