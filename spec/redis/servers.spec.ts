import { existsSync } from 'node:fs'
import { Redis } from 'ioredis'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { startRedis, type RedisServer } from '../support/servers/redis'

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
    const { pid, folder } = server
    expect([isRunning(pid), existsSync(folder)]).toEqual([true, true])
    await server.stop()
    expect([isRunning(pid), existsSync(folder)]).toEqual([false, false])
  })
})

const connections: Redis[] = []
const servers: RedisServer[] = []

afterEach(async () => {
  for (const redis of connections.splice(0)) redis.disconnect()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

function connect(url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 3 })
  // Servers go away here on purpose; what that breaks, a command tells.
  redis.on('error', () => {})
  connections.push(redis)
  return redis
}

async function started(starting: Promise<RedisServer>): Promise<RedisServer> {
  const server = await starting
  servers.push(server)
  return server
}

function isRunning(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
