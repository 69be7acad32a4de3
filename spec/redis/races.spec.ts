import { createServer, type Server, type Socket, connect } from 'node:net'
import { Redis } from 'ioredis'
import { recordOf } from '#error-record'
import { TaskCancelled } from '../../lib/errors/run-errors'
import type { ClaimedRow, Outcome, Store } from '#lib/store'
import { BullMQBackend } from '../../backends/bullmq'
import { claim, claimFilter, idsOf, rescue } from '../contract/rows'
import { RedisRows } from '../contract/redis-rows'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

describeOnRedis('workers that meet on one Redis', () => {
  const closers: (() => Promise<unknown>)[] = []
  let prefix: string
  let rows: RedisRows

  beforeEach(() => {
    prefix = freshPrefix()
    rows = new RedisRows(redisUrl(), prefix, ['default'])
    closers.push(() => rows.close())
  })
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close()
  })

  function backend(connection = redisUrl()): BullMQBackend {
    const options = { connection, prefix: `${prefix}-default` }
    const opened = new BullMQBackend('default', { queues: ['default'], options })
    closers.push(() => opened.close())
    return opened
  }
  async function open(leaseSeconds = 30, url = redisUrl()): Promise<Store> {
    const store = await backend(url).openStore({ leaseSeconds })
    closers.push(() => store.close())
    return store
  }

  it('a task that is cancelled while it finishes does one of both, 1,000 times', async () => {
    const ids = await rows.addMany(1000)
    const canceller = backend()
    const results = new Map<string, Awaited<ReturnType<typeof canceller.getResult>>>()
    for (const id of ids) results.set(id, await canceller.getResult(id))
    const store = await open()
    const seen = { SUCCESSFUL: 0, FAILED: 0 }

    for (let left = 1000; left > 0; left -= 50) {
      const { claimed } = await claim(store, 50)
      const [answers] = await Promise.all([
        endAfterTurns(store, claimed, success),
        ...claimed.map(async ({ values: { id } }) => {
          await turns(Math.floor(Math.random() * 8))
          await canceller.cancel(results.get(id)!)
        }),
      ])
      const refused = claimed.filter((_, i) => answers[i] === 'refused')
      const ended = await store.exchange(refused.map(cancelled), 0, claimFilter())
      expect(ended.answers).toEqual(refused.map(() => 'kept'))
      for (const [i, { values }] of claimed.entries()) {
        const { status, exceptionClassPath } = await rows.get(values.id)
        expect(status).toBe(answers[i] === 'kept' ? 'SUCCESSFUL' : 'FAILED')
        expect(exceptionClassPath === '').toBe(status === 'SUCCESSFUL')
        seen[status as 'FAILED'] += 1
      }
    }
    expect(seen.SUCCESSFUL + seen.FAILED).toBe(1000)
    expect(Math.min(seen.SUCCESSFUL, seen.FAILED)).toBeGreaterThan(0)
  }, 120_000)

  it('two that look for lost rows at once put each back once', async () => {
    const ids = await rows.addMany(150)
    const stores = await Promise.all([open(), open(), open()])
    await claim(stores[0]!, 150, { workerId: 'gone' })
    for (const id of ids) await rows.expire(id)

    const released: string[] = []
    for (let look = 0; look < 4; look++)
      for (const found of await Promise.all(stores.map(rescue))) released.push(...found.released)

    expect(released.toSorted()).toEqual(ids.toSorted())
    for (const id of ids) expect((await rows.get(id)).attemptErrors).toHaveLength(1)
  })

  it('a late outcome is kept while nobody has taken the task, and refused once somebody has', async () => {
    const [id] = await rows.addMany(1)
    const [slow, other] = await Promise.all([open(1), open(1)])
    const [row] = (await claim(slow, 1)).claimed
    await rows.expire(id!)

    expect((await slow.exchange([success(row!)], 0, claimFilter())).answers).toEqual(['kept'])

    const [second] = await rows.addMany(1)
    const [again] = (await claim(slow, 1)).claimed
    await rows.expire(second!)
    await rescue(other)
    const [taken] = (await claim(other, 1, { workerId: 'w-2' })).claimed
    expect((await slow.exchange([success(again!)], 0, claimFilter())).answers).toEqual(['refused'])
    expect((await rows.get(second!)).status).toBe('RUNNING')
    expect((await other.exchange([success(taken!)], 0, claimFilter())).answers).toEqual(['kept'])
  })

  it('an outcome and a rescue of the same task leave one of both', async () => {
    const [ids, owner, other] = [await rows.addMany(200), await open(), await open()]
    const { claimed } = await claim(owner, 200)
    for (const id of ids) await rows.expire(id)

    const [answers, found] = await Promise.all([
      endAfterTurns(owner, claimed, success),
      rescue(other),
    ])

    const kept = claimed.filter((_, i) => answers[i] === 'kept').map(({ values }) => values.id)
    expect(kept.filter((id) => found.released.includes(id))).toEqual([])
    expect(kept.length + found.released.length).toBe(200)
    for (const id of found.released) expect((await rows.get(id)).status).toBe('READY')
    for (const id of kept) expect((await rows.get(id)).status).toBe('SUCCESSFUL')
  })

  it('jobs whose claim was never answered are given back at the next look, as if they had not been taken', async () => {
    const proxy = await Proxy.start()
    closers.push(() => proxy.stop())
    const ids = await rows.addMany(30)
    const store = await open(30, proxy.url)
    await claim(store, 0)
    const before = (await claim(store, 10)).claimed

    proxy.loseNextAnswer()
    const claimed: readonly ClaimedRow[] = await claim(store, 10).then(
      (exchange) => exchange.claimed,
      () => [],
    )
    await rescue(store)

    const held = [...before, ...claimed].map(({ values }) => values.id)
    const free = ids.filter((id) => !held.includes(id))
    for (const id of free)
      expect(await rows.get(id)).toMatchObject({ status: 'READY', workerIds: [] })
    for (const id of held) expect((await rows.get(id)).status).toBe('RUNNING')
    expect(idsOf(await claim(await open(), 50)).toSorted()).toEqual(free.toSorted())
  })

  it('a job whose claim was never answered ends as cancelled where somebody has asked for that meanwhile', async () => {
    const proxy = await Proxy.start()
    closers.push(() => proxy.stop())
    const store = await open(30, proxy.url)
    // It is connected, so that the next answer is that of the claim.
    await claim(store, 1)
    const [id] = await rows.addMany(1)
    const canceller = backend()
    const result = await canceller.getResult(id!)

    proxy.loseNextAnswer()
    await claim(store, 1).catch(() => {})
    const isAsked = await canceller.cancel(result)
    await rescue(store)

    expect(isAsked).toBe(true)
    expect(await rows.get(id!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.TaskCancelled',
    })
    expect((await claim(store, 1)).claimed).toEqual([])
  })

  it('outcomes whose answer was lost are kept when they are handed in again', async () => {
    const proxy = await Proxy.start()
    closers.push(() => proxy.stop())
    const ids = await rows.addMany(20)
    const store = await open(30, proxy.url)
    const { claimed } = await claim(store, 20)
    const outcomes = claimed.map((row, i) => (i % 2 === 0 ? success(row) : failure(row)))

    proxy.loseNextAnswer()
    const first = await store.exchange(outcomes, 0, claimFilter()).catch(() => undefined)
    const { answers } = first ?? (await store.exchange(outcomes, 0, claimFilter()))

    expect(answers).toEqual(outcomes.map(() => 'kept'))
    for (const id of ids) expect((await rows.get(id)).claims).toBe(1)
    expect((await claim(store, 20)).claimed).toEqual([])
  })

  it('knows its scripts again after Redis has forgotten them', async () => {
    await rows.addMany(2)
    const store = await open()
    const [row] = (await claim(store, 1)).claimed
    const redis = new Redis(redisUrl())
    await redis.script('FLUSH')
    redis.disconnect()

    const { answers, claimed } = await store.exchange([success(row!)], 1, claimFilter())
    expect({ answers, claimed: claimed.length }).toEqual({ answers: ['kept'], claimed: 1 })
    expect(await store.renew(claimed)).toMatchObject({ lost: [] })
  })

  it.each([2 ** 31 - 3, 2 ** 31 - 2, 2 ** 31 - 1])(
    'ends a task that was claimed %d times',
    async (claims) => {
      const [id] = await rows.add({ claims, workerIds: ['w'] })
      const store = await open()

      const [row] = (await claim(store, 1)).claimed

      const isLast = claims + 1 >= 2 ** 31 - 1
      expect(row?.malformed).toBe(isLast ? 'claims is at its greatest value' : null)
      expect((await store.exchange([failure(row!)], 0, claimFilter())).answers).toEqual(['kept'])
      expect((await rows.get(id!)).status).toBe('FAILED')
    },
  )

  it('takes a job whose times another program wrote badly', async () => {
    const [id] = await rows.addMany(1)
    const redis = new Redis(redisUrl())
    const job = `${prefix}-default:default:${id}`
    await redis.hset(job, { timestamp: 'soon', 'tasks:due': 'later', opts: '{"delay":"x"}' })
    redis.disconnect()

    const [row] = (await claim(await open(), 1)).claimed

    expect(row).toMatchObject({ malformed: null, values: { id, enqueuedAt: null, runAfter: null } })
  })
})

const error = { exceptionClassPath: 'Error', traceback: 'Error: no\n' }

function success({ key, claims }: ClaimedRow): Outcome {
  return { key, claims, status: 'SUCCESSFUL', returnValue: '1' }
}

function failure({ key, claims }: ClaimedRow): Outcome {
  return { key, claims, status: 'FAILED', error }
}

function cancelled({ key, claims }: ClaimedRow): Outcome {
  return { key, claims, status: 'FAILED', error: recordOf(new TaskCancelled()) }
}

/** Hands in outcomes one by one, each after a few turns of the event loop. */
async function endAfterTurns(
  store: Store,
  claimed: readonly ClaimedRow[],
  outcomeOf: (row: ClaimedRow) => Outcome,
) {
  return Promise.all(
    claimed.map(async (row) => {
      await turns(Math.floor(Math.random() * 8))
      return (await store.exchange([outcomeOf(row)], 0, claimFilter())).answers[0]
    }),
  )
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

/** Stands between a client and Redis, and can lose what Redis answers. */
class Proxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isLosing = false

  private constructor() {
    const { hostname, port } = new URL(redisUrl())
    this.#server = createServer((client) => {
      const redis = connect(Number(port), hostname)
      for (const socket of [client, redis]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => [client, redis].forEach((each) => each.destroy()))
      }
      client.on('data', (data) => redis.write(data))
      redis.on('data', (data) => {
        if (!this.#isLosing) return void client.write(data)
        this.#isLosing = false
        client.destroy()
      })
    })
  }

  static async start(): Promise<Proxy> {
    const proxy = new Proxy()
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get url(): string {
    const address = this.#server.address()
    const url = new URL(redisUrl())
    if (typeof address === 'object' && address) url.port = String(address.port)
    return url.href
  }

  loseNextAnswer(): void {
    this.#isLosing = true
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => void this.#server.close(resolve))
  }
}
