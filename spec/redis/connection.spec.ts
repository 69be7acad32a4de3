import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type * as ioredis5 from 'ioredis'
import { Cluster, Redis } from 'ioredis'
import { configureTasks, runUntilEmpty, task } from 'typeorm-tasks'
import { backends } from '#backend-registry'
import { BullMQBackend } from '../../backends/bullmq'
import type { Connection as ConnectionOption } from '../../backends/bullmq/options'
import { catchLog } from '../support/tasks'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { startRedis, startRedisCluster, startSentinel } from '../support/servers/redis'
import { freePort } from '../support/servers/free-port'
import { flags, RedisServer } from '../support/servers/redis/server'

const double = task('connection.double', (value: number) => value * 2)
const closers: (() => Promise<unknown>)[] = []

beforeEach(() => void catchLog())
afterEach(async () => {
  await backends.get('default').close()
  configureTasks({ default: { BACKEND: BullMQBackend, QUEUES: ['default'] } })
  for (const close of closers.splice(0).toReversed()) await close()
})

function configure(connection: ConnectionOption | undefined, prefix = freshPrefix()): void {
  configureTasks({
    default: {
      BACKEND: BullMQBackend,
      QUEUES: ['default'],
      OPTIONS: { prefix, ...(connection === undefined ? {} : { connection }) },
    },
  })
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 10_000; !(await isSo()); await sleep(50))
    if (performance.now() > end) throw new Error('Waited in vain.')
}

/** A task goes the whole way; so do several in one round trip. */
async function expectWay(): Promise<void> {
  const one = await double.enqueue(1)
  const others = await double.enqueueMany([[2], [3]])
  await runUntilEmpty({ queues: '*' })
  for (const [at, result] of [one, ...others].entries()) {
    await result.refresh()
    expect(result.returnValue).toBe((at + 1) * 2)
  }
}

describeOnRedis('a backend on Redis', () => {
  it('takes a URL, with user, password and the number of a database', async () => {
    const server = await startRedis({ requirepass: 'p@ss/word' })
    closers.push(() => server.stop())
    configure(`redis://default:${encodeURIComponent('p@ss/word')}@127.0.0.1:${server.port}/3`)
    await expectWay()

    const redis = new Redis(server.url)
    closers.push(async () => redis.disconnect())
    expect(await redis.dbsize()).toBe(0)
    await redis.select(3)
    expect(await redis.dbsize()).toBeGreaterThan(0)
  })

  it('takes the options of ioredis', async () => {
    const { port, pathname } = new URL(redisUrl())
    configure({ host: '127.0.0.1', port: Number(port), db: Number(pathname.slice(1)) })
    await expectWay()
  })

  it('takes the path of a socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'redis-socket-'))
    const path = join(folder, 'redis.sock')
    const server = await new RedisServer({}, () => flags({ unixsocket: path })).start()
    closers.push(
      () => rm(folder, { recursive: true, force: true }),
      () => server.stop(),
    )
    configure(path)
    await expectWay()
  })

  it('speaks TLS, and does not speak with a server whose certificate it does not trust', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'redis-tls-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    )
    const tlsPort = await freePort()
    const server = await new RedisServer({}, () =>
      flags({
        'tls-port': tlsPort,
        'tls-cert-file': cert,
        'tls-key-file': key,
        'tls-ca-cert-file': cert,
        'tls-auth-clients': 'no',
      }),
    ).start()
    closers.push(() => server.stop())

    configure({ host: '127.0.0.1', port: tlsPort, tls: { ca: await readFile(cert) } })
    await expectWay()
    await backends.get('default').close()

    configure(`rediss://127.0.0.1:${tlsPort}`)
    const [problem] = await backends.get('default').check()
    expect(problem?.message).toMatch(/cannot be reached: self-signed certificate/)
    expect(problem?.hint).toContain('tls')
  })

  it('finds the master by Sentinels', async () => {
    const { name, sentinels, stop } = await startSentinel()
    closers.push(stop)
    configure({ name, sentinels: [...sentinels] })
    await expectWay()
  })

  it('works on a cluster of three nodes, with all its keys on one of them', async () => {
    const cluster = await startRedisCluster()
    closers.push(() => cluster.stop())
    configure({ cluster: { nodes: cluster.nodes } }, '{shop}')
    await expectWay()

    const sizes = await Promise.all(
      cluster.servers.map(async ({ url }) => {
        const redis = new Redis(url)
        const size = await redis.dbsize()
        redis.disconnect()
        return size
      }),
    )
    expect(sizes.filter((size) => size > 0)).toHaveLength(1)

    const client = new Cluster([...cluster.nodes])
    closers.push(() => client.quit())
    await backends.get('default').close()
    configure(client, '{shop2}')
    await expectWay()
  })

  it.each([
    ['a port', { 'cluster-announce-port': '1' }, '127.0.0.1', 1],
    [
      'a name',
      {
        'cluster-announce-hostname': 'nowhere.invalid',
        'cluster-preferred-endpoint-type': 'hostname',
      },
      'nowhere.invalid',
      undefined,
    ],
  ])(
    'says which address of a node cannot be reached by %s, and how to map it',
    async (...given) => {
      const [, settings, host, port] = given
      const cluster = await startRedisCluster()
      closers.push(() => cluster.stop())
      const nodes = cluster.servers.map(({ url }) => new Redis(url))
      for (const redis of nodes)
        for (const [name, value] of Object.entries(settings)) await redis.config('SET', name, value)
      // Until each of them has heard of it.
      const named = new RegExp(`"${host}",${port ?? '\\d+'},`, 'g')
      const isHeard = async (redis: Redis): Promise<boolean> =>
        JSON.stringify(await redis.cluster('SLOTS')).match(named)?.length === 3
      const end = Date.now() + 15_000
      while (Date.now() < end && !(await Promise.all(nodes.map(isHeard))).every(Boolean))
        await new Promise((resolve) => setTimeout(resolve, 50))
      for (const redis of nodes) redis.disconnect()
      configure({ cluster: { nodes: cluster.nodes } }, '{shop}')
      await expect(double.enqueue(1)).rejects.toThrow(
        new RegExp(
          `cannot be reached.* The cluster calls a node ${host}:${port ?? '\\d+'}: can this host reach it .* natMap in `,
        ),
      )
    },
  )

  it('uses a client of the app, and neither closes it nor leaves anything of its own on it', async () => {
    const client = new Redis(redisUrl(), { maxRetriesPerRequest: null })
    closers.push(() => client.quit())
    const listeners = (): number[] =>
      ['error', 'close', 'ready', 'end'].map((event) => client.listenerCount(event))
    configure(client)
    await expectWay()
    const before = listeners()
    await backends.get('default').close()
    expect(client.status).toBe('ready')

    configure(client)
    await expectWay()
    await backends.get('default').close()
    expect(await client.ping()).toBe('PONG')
    expect(listeners()[1]).toBeLessThanOrEqual(before[1] ?? 0)
  })

  it('works with ioredis 6', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ioredis-6-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    execFileSync(
      'npm',
      ['install', '--prefix', folder, '--prefer-offline', '--no-audit', '--no-fund', 'ioredis@6'],
      { stdio: 'pipe' },
    )
    const ioredis = require(join(folder, 'node_modules/ioredis')) as typeof ioredis5
    const { version } = require(join(folder, 'node_modules/ioredis/package.json')) as {
      version: string
    }
    expect(version).toMatch(/^6\./)
    const client = new ioredis.Redis(redisUrl())
    closers.push(() => client.quit())
    configure(client)
    await expectWay()
  })
})

describeOnRedis('TASKS that is configured again and again', () => {
  it('leaves no connection behind, and breaks nothing that is asked of the backend before', async () => {
    const server = await startRedis()
    closers.push(() => server.stop())
    const { url } = server
    const prefix = freshPrefix()
    const redis = new Redis(url)
    closers.push(async () => redis.disconnect())
    const connections = async (): Promise<number> =>
      String(await redis.client('LIST'))
        .trim()
        .split('\n').length
    const before = await connections()
    configure(url, prefix)
    const first = await double.enqueue(1)
    // It has been asked when the next one takes its place, and is not answered yet.
    const underWay: Promise<unknown>[] = []
    for (let reload = 0; reload < 20; reload++) {
      underWay.push(double.enqueueMany(Array.from({ length: 500 }, () => [1])))
      configure(url, prefix)
    }
    await Promise.all(underWay)
    expect(await connections()).toBeGreaterThan(before + 10)
    await double.enqueue(1)
    await until(async () => (await connections()) <= before + 1)
    // Its backend is out of TASKS, and opens a connection for that.
    await runUntilEmpty({ queues: '*', concurrency: 100 })
    await first.refresh()
    expect(first.status).toBe('SUCCESSFUL')
    await until(async () => (await connections()) <= before + 1)
  })

  it('leaves no listener on a client of the app', async () => {
    const client = new Redis(redisUrl())
    closers.push(() => client.quit())
    const prefix = freshPrefix()
    const listeners = (): number =>
      client.eventNames().reduce((sum, name) => sum + client.listenerCount(name), 0)
    configure(client, prefix)
    await double.enqueue(1)
    const before = listeners()
    for (let reload = 0; reload < 5; reload++) {
      configure(client, prefix)
      await double.enqueue(1)
    }
    await until(() => listeners() <= before)
    expect(await client.ping()).toBe('PONG')
  })
})

describeOnRedis('a Redis that is away', () => {
  it('fails an enqueue within seconds, also when it was never there; when it is back, the next one is written', async () => {
    const server = await startRedis({ appendonly: true })
    closers.push(() => server.stop())
    await server.kill()
    configure(server.url)
    await expectAway(2_000)
    await expectAway(2_000)

    await server.restart()
    await expectBack()
    await server.kill()
    await expectAway(2_000)
    await server.restart()
    await expectBack()
    await expectWay()
  })

  it('that hangs fails an enqueue after commandTimeout, and is used again when it goes on', async () => {
    const server = await startRedis()
    closers.push(() => server.stop())
    configure({ host: '127.0.0.1', port: server.port, commandTimeout: 1_000 })
    await double.enqueue(1)
    process.kill(server.pid ?? 0, 'SIGSTOP')
    try {
      await expectAway(3_000)
    } finally {
      process.kill(server.pid ?? 0, 'SIGCONT')
    }
    await expectBack()
    await expectWay()
  })

  it('of a cluster fails an enqueue within seconds', async () => {
    const cluster = await startRedisCluster({ appendonly: true })
    closers.push(() => cluster.stop())
    const options = { redisOptions: { commandTimeout: 1_000 } }
    configure({ cluster: { nodes: cluster.nodes, options } }, '{shop}')
    await double.enqueue(1)
    await Promise.all(cluster.servers.map((server) => server.kill()))
    await expectAway(3_000)
    await expectAway(3_000)
    await Promise.all(cluster.servers.map((server) => server.restart()))
    await cluster.settled()
    await expectBack()
    await expectWay()
  })

  it('of a cluster that was never there fails an enqueue within seconds', async () => {
    const port = await freePort()
    configure({ cluster: { nodes: [{ host: '127.0.0.1', port }] } }, '{shop}')
    await expectAway(12_000)
  })

  async function expectAway(withinMs: number): Promise<void> {
    const before = performance.now()
    const error: unknown = await double.enqueue(1).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      name: 'DatabaseUnreachableError',
      message: expect.stringContaining('Redis (TASKS.default) cannot be reached: ') as string,
    })
    expect(performance.now() - before).toBeLessThan(withinMs)
  }

  async function expectBack(): Promise<void> {
    const end = performance.now() + 10_000
    for (;;)
      try {
        await double.enqueue(1)
        return
      } catch (error) {
        expect(backends.get('default').isAway(error)).toBe(true)
        expect(performance.now()).toBeLessThan(end)
      }
  }
})
