import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Heartbeat, Store } from '#lib/store'
import { BullMQBackend } from '../../backends/bullmq'
import { workerRecord as record } from '../support/worker-records'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

const LEASE_MS = 30_000

describeOnRedis('records of workers', () => {
  const redis = new Redis(redisUrl(), { lazyConnect: true })
  let key: string
  let stores: Store[]
  let heartbeat: Heartbeat

  const open = async (prefix: string): Promise<Heartbeat> => {
    const options = { connection: redisUrl(), prefix }
    const backend = new BullMQBackend('default', { queues: ['default'], options })
    const store = await backend.openStore({ leaseSeconds: LEASE_MS / 1000 })
    stores.push(store)
    return store.heartbeat!
  }
  const stored = async (id: string): Promise<unknown> =>
    JSON.parse((await redis.hget(key, id)) ?? 'null')
  /** A record of another worker, not seen for so long. */
  const other = (id: string, agoMs: number, leaseMs = LEASE_MS) =>
    redis.hset(key, id, JSON.stringify({ ...record, id, leaseMs, seenAt: Date.now() - agoMs }))

  beforeEach(async () => {
    const prefix = freshPrefix()
    key = `${prefix}::workers`
    stores = []
    heartbeat = await open(prefix)
  })
  afterEach(() => Promise.all(stores.map((store) => store.close())))
  afterAll(() => redis.disconnect())

  it('a first heartbeat writes the record, and the next ones renew it', async () => {
    expect(await heartbeat.beat(record)).toBe(false)
    const first = (await stored(record.id)) as { seenAt: number }
    expect(first).toEqual({ ...record, leaseMs: LEASE_MS, seenAt: expect.any(Number) as number })
    expect(Math.abs(first.seenAt - Date.now())).toBeLessThan(5_000)

    await sleep(5)
    await heartbeat.beat({ ...record, running: 0 })
    const second = (await stored(record.id)) as { seenAt: number }
    expect(second).toMatchObject({ running: 0 })
    expect(second.seenAt).toBeGreaterThan(first.seenAt)
  })

  it('tells whether another worker was not seen for its lease', async () => {
    await other('fresh', LEASE_MS / 2)
    await other('patient', 60_000, 300_000)
    await other(record.id, 40_000)
    expect(await heartbeat.beat(record)).toBe(false)

    await other('gone', 40_000)
    expect(await heartbeat.beat(record)).toBe(true)
    expect(await redis.hlen(key)).toBe(4)
  })

  it('deletes a record on which nothing can depend any more', async () => {
    await other('lately', 3 * LEASE_MS - 10_000)
    await other('long ago', 3 * LEASE_MS + 1_000)

    expect(await heartbeat.beat(record)).toBe(true)
    expect((await redis.hkeys(key)).toSorted()).toEqual(['lately', record.id].toSorted())
  })

  it('deletes the record of a worker that leaves, and of no other', async () => {
    await heartbeat.beat(record)
    await heartbeat.beat({ ...record, id: 'w-2' })

    await heartbeat.leave(record.id)
    expect(await redis.hkeys(key)).toEqual(['w-2'])
  })

  it('workers of another backend are of its own', async () => {
    await other('gone', 40_000)
    const elsewhere = await open(freshPrefix())

    expect(await elsewhere.beat(record)).toBe(false)
  })
})
