import { existsSync } from 'node:fs'
import { Cluster, Redis } from 'ioredis'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import {
  startRedis,
  startRedisCluster,
  startSentinel,
  type RedisServer,
} from '../support/servers/redis'

describeOnRedis('the Redis that all specs share', () => {
  it('answers, and keeps a key under a prefix of this spec', async () => {
    const redis = connect(redisUrl())
    const key = `${freshPrefix()}:key`

    expect(await redis.ping()).toBe('PONG')
    await redis.set(key, 'value')
    expect(await redis.get(key)).toBe('value')
    expect(freshPrefix()).not.toBe(freshPrefix())
  })
})

describeOnRedis('a Redis of the spec', () => {
  it('that appends to a file keeps a key when it is killed and started again', async () => {
    const server = await started(startRedis({ appendonly: true, appendfsync: 'always' }))
    await connect(server.url).set('key', 'value')

    const { pid, port } = server
    await server.kill()
    await server.restart()

    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await connect(server.url).get('key')).toBe('value')
  })

  it('that appends to no file has lost it', async () => {
    const server = await started(startRedis())
    await connect(server.url).set('key', 'value')
    await server.restart()
    expect(await connect(server.url).get('key')).toBeNull()
  })

  it('has the settings that it was given', async () => {
    const server = await started(
      startRedis({
        maxmemory: '4mb',
        maxmemoryPolicy: 'allkeys-lru',
        requirepass: 'p@ss/word',
      }),
    )
    const redis = connect(server.url)
    expect(await redis.config('GET', 'maxmemory')).toEqual(['maxmemory', `${4 * 1024 ** 2}`])
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual([
      'maxmemory-policy',
      'allkeys-lru',
    ])
    await expect(connect(`redis://127.0.0.1:${server.port}`).ping()).rejects.toThrow('NOAUTH')
  })

  it('leaves no process and no folder when it is stopped', async () => {
    const server = await startRedis()
    await expectGoneAfter(() => server.stop(), [server])
  })
})

describeOnRedis('a cluster of the spec', () => {
  it('serves all slots by three masters, and keys of one tag by one of them', async () => {
    const cluster = await started(startRedisCluster())
    const client = remembered(new Cluster([...cluster.nodes]))

    await client.mset('{tag}:one', '1', '{tag}:two', '2')

    expect(await client.mget('{tag}:one', '{tag}:two')).toEqual(['1', '2'])
    expect(await client.cluster('INFO')).toContain('cluster_state:ok')
    expect(client.nodes('master')).toHaveLength(3)
    await expect(client.mset('one', '1', 'two', '2')).rejects.toThrow(/slot/i)
  })

  it('that appends to files is whole again, with its keys, after a master was killed and started again', async () => {
    const cluster = await started(startRedisCluster({ appendonly: true, appendfsync: 'always' }))
    const client = remembered(new Cluster([...cluster.nodes]))
    const keys = ['one', 'two', 'three', 'four', 'five', 'six']
    for (const key of keys) await client.set(key, key)

    const [first] = cluster.servers
    await first?.kill()
    await first?.restart()
    await cluster.settled()

    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys)
  })

  it('leaves no process and no folder when it is stopped', async () => {
    const { servers: masters, stop } = await startRedisCluster()
    await expectGoneAfter(stop, masters)
  })
})

describeOnRedis('a master, a replica and a sentinel of the spec', () => {
  it('goes on with the replica after the master has crashed', async () => {
    const group = await started(startSentinel())
    const { name, sentinels, master, replica } = group
    const client = remembered(new Redis({ name, sentinels: [...sentinels] }))
    await client.set('key', 'value')
    expect(await client.wait(1, 5000)).toBe(1)
    expect(await connect(replica.url).get('key')).toBe('value')

    const { pid } = master
    expect(isRunning(pid)).toBe(true)
    await group.failover()

    expect(isRunning(pid)).toBe(false)
    expect(await connect(replica.url).role()).toContain('master')
    expect(await client.get('key')).toBe('value')
    await client.set('key', 'written after')
    expect(await connect(replica.url).get('key')).toBe('written after')
  })

  it('leaves no process and no folder when it is stopped', async () => {
    const { master, replica, sentinel, stop } = await startSentinel()
    await expectGoneAfter(stop, [master, replica, sentinel])
  })
})

const connections: { disconnect(): void }[] = []
const servers: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const redis of connections.splice(0)) redis.disconnect()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

function connect(url: string): Redis {
  return remembered(new Redis(url, { maxRetriesPerRequest: 3 }))
}

function remembered<Client extends Redis | Cluster>(client: Client): Client {
  // Servers go away here on purpose; what that breaks, a command tells.
  client.on('error', () => {})
  connections.push(client)
  return client
}

async function started<Started extends { stop(): Promise<void> }>(
  starting: Promise<Started>,
): Promise<Started> {
  const server = await starting
  servers.push(server)
  return server
}

async function expectGoneAfter(
  stop: () => Promise<void>,
  stopped: readonly Pick<RedisServer, 'pid' | 'folder'>[],
): Promise<void> {
  const before = stopped.map(({ pid, folder }) => ({ pid, folder }))
  const each = (is: boolean): boolean[][] => before.map(() => [is, is])
  const state = (): boolean[][] =>
    before.map(({ pid, folder }) => [isRunning(pid), existsSync(folder)])
  expect(state()).toEqual(each(true))
  await stop()
  expect(state()).toEqual(each(false))
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
