import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { remoteTask } from '#define'
import { startRedis, startRedisCluster, startSentinel } from '../support/servers/redis'
import { describeWithRedis, RedisField } from './kit/redis-field'

/** Enqueues without a pause until it is told to stop, and writes down what was acknowledged. */
class Load {
  /** Of each that was acknowledged: when. */
  readonly acknowledged = new Map<string, number>()
  refused = 0
  readonly #field: RedisField
  readonly #running: Promise<void>
  #isOver = false

  constructor(field: RedisField) {
    this.#field = field
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        for (const id of await this.#field.enqueue('sleep', [[1], [1]]))
          this.acknowledged.set(id, Date.now())
      } catch {
        this.refused++
      }
      await sleep(2)
    }
  }
}

describeWithRedis('Redis under load', () => {
  it.each([
    ['always', 0],
    // What is lost is younger than this before the kill, in milliseconds; Redis says a second, two where the disk is busy.
    ['everysec', 2_000],
  ] as const)(
    'F81 that appends %s is killed three times: what was acknowledged is lost for at most %i ms, and nothing is recorded twice',
    async (appendfsync, lossMs) => {
      const server = await startRedis({ appendonly: true, appendfsync })
      const field = await RedisField.open(server.url, () => server.url)
      try {
        await Promise.all([field.worker(['--concurrency', '5']), field.worker()])
        const load = new Load(field)
        const kills: number[] = []
        for (let kill = 0; kill < 3; kill++) {
          await sleep(1_500)
          kills.push(Date.now())
          await server.kill()
          await sleep(300)
          await server.restart()
        }
        await sleep(1_500)
        await load.stop()

        const results = await field.finished()
        const lost = [...load.acknowledged].filter(([id]) => !results.has(id))
        const old = lost.filter(
          ([, at]) => !kills.some((kill) => at > kill - lossMs && at < kill + 50),
        )
        console.info(
          `appendfsync ${appendfsync}: ${load.acknowledged.size} acknowledged, ${load.refused} refused, ${lost.length} lost`,
        )
        expect(load.acknowledged.size).toBeGreaterThan(500)
        expect(load.refused).toBeGreaterThan(0)
        if (lossMs === 0) expect(lost).toEqual([])
        expect(old).toEqual([])
        expect((await field.breaches()).slice(0, 10)).toEqual([])
      } finally {
        await field.close()
        await server.stop()
      }
    },
    120_000,
  )

  it('F82 whose master is lost: Sentinel makes the replica the master, and workers and enqueues go on there', async () => {
    const { name, sentinels, master, replica, failover, stop } = await startSentinel()
    let where = master.url
    const connection = { name, sentinels: [...sentinels] }
    const field = await RedisField.open(connection, () => where)
    try {
      const workers = [await field.worker(['--concurrency', '5']), await field.worker()]
      const load = new Load(field)
      await sleep(2_000)
      const began = Date.now()
      await failover()
      where = replica.url
      const took = Date.now() - began
      const atFailover = load.acknowledged.size
      await sleep(4_000)
      await load.stop()

      const results = await field.finished()
      const lost = [...load.acknowledged].filter(([id]) => !results.has(id))
      console.info(
        `failover in ${took} ms: ${load.acknowledged.size} acknowledged (${load.acknowledged.size - atFailover} on the new master), ${load.refused} refused, ${lost.length} lost`,
      )
      expect(load.acknowledged.size - atFailover).toBeGreaterThan(50)
      // A replica lacks what was written last: no longer ago than a second.
      expect(lost.filter(([, at]) => at < began - 1_000)).toEqual([])
      expect(workers.map(({ isOver }) => isOver)).toEqual([false, false])
      expect((await field.breaches()).slice(0, 10)).toEqual([])
    } finally {
      await field.close()
      await stop()
    }
  }, 120_000)

  it('F83 a node of a cluster that is killed and comes back loses no acknowledged task', async () => {
    const cluster = await startRedisCluster({ appendonly: true, appendfsync: 'always' })
    const client = new Redis(cluster.servers[0]!.url)
    const slot = Number(await client.cluster('KEYSLOT', '{faults}'))
    client.disconnect()
    const owner = cluster.servers[Math.min(2, Math.floor((slot * 3) / 16_384))]!
    const field = await RedisField.open({ cluster: { nodes: cluster.nodes } }, () => owner.url)
    try {
      const workers = [await field.worker(['--concurrency', '5']), await field.worker()]
      const load = new Load(field)
      await sleep(1_500)
      await owner.kill()
      await sleep(500)
      await owner.restart()
      await cluster.settled()
      await sleep(3_000)
      await load.stop()

      const results = await field.finished()
      console.info(`${load.acknowledged.size} acknowledged, ${load.refused} refused`)
      expect([...load.acknowledged].filter(([id]) => !results.has(id))).toEqual([])
      expect(workers.map(({ isOver }) => isOver)).toEqual([false, false])
      expect((await field.breaches()).slice(0, 10)).toEqual([])
    } finally {
      await field.close()
      await cluster.stop()
    }
  }, 120_000)

  it('F84 that somebody empties: what was there is gone, and workers go on with what comes then', async () => {
    const server = await startRedis()
    const field = await RedisField.open(server.url, () => server.url)
    const redis = new Redis(server.url)
    try {
      const worker = await field.worker(['--concurrency', '5'])
      await field.enqueue(
        'sleep',
        Array.from({ length: 50 }, () => [1_000]),
      )
      await field.sees('start', 5)
      await redis.flushall()
      expect((await field.results()).size).toBe(0)

      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 50 }, () => [10]),
      )
      const results = await field.finished(20_000, ids)
      expect([...results.values()].map(({ status }) => status)).toEqual(
        Array(50).fill('SUCCESSFUL'),
      )
      expect(worker.isOver).toBe(false)
      expect((await field.breaches()).slice(0, 10)).toEqual([])
    } finally {
      redis.disconnect()
      await field.close()
      await server.stop()
    }
  }, 60_000)

  it('F85 whose scripts are flushed again and again: nobody notices', async () => {
    const server = await startRedis()
    const field = await RedisField.open(server.url, () => server.url)
    const redis = new Redis(server.url)
    try {
      await field.worker(['--concurrency', '5'])
      const load = new Load(field)
      for (let flush = 0; flush < 20; flush++) {
        await sleep(100)
        await redis.script('FLUSH')
        const task = remoteTask<unknown[]>('fault.sleep')
        const [one, again] = [`key ${flush}`, `key ${flush}`].map((uniqueKey) =>
          task.using({ uniqueKey, priority: flush }).enqueue(200),
        )
        expect((await again)?.id).toBe((await one)?.id)
      }
      await load.stop()
      const results = await field.finished()
      expect(load.refused).toBe(0)
      expect(results.size).toBe(load.acknowledged.size)
      expect((await field.breaches()).slice(0, 10)).toEqual([])
    } finally {
      redis.disconnect()
      await field.close()
      await server.stop()
    }
  }, 60_000)
})
