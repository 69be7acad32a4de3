import { join } from 'node:path'
import { Redis } from 'ioredis'
import { ownCore } from '../lib/cores.mjs'
import { folderWith, startServer } from './server.mjs'

/** Redis as it comes: snapshots now and then, no log of every write. */
export async function startRedis() {
  const bin = folderWith([], 'redis-server')
  if (bin === undefined)
    throw new Error(
      'Redis is missing: BullMQ on Redis is not measured. Install it, for instance: apt-get install redis-server',
    )
  const cores = ownCore()
  const server = await startServer({
    name: 'redis',
    account: 'redis',
    command: ({ folder }, port) => [
      ...(cores?.server ?? []),
      join(bin, 'redis-server'),
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      folder,
    ],
    version: async (port) =>
      /redis_version:(\S+)/.exec(await ask(port, (redis) => redis.info('server')))[1],
  })
  const flush = () => ask(server.port, (redis) => redis.flushall())
  return {
    ...server,
    name: 'Redis',
    fresh: async () => (
      await flush(),
      {
        type: 'redis',
        host: '127.0.0.1',
        port: server.port,
        pid: server.pid,
        cores: cores?.others,
      }
    ),
    drop: flush,
    settle: async () => {},
    analyse: async () => {},
  }
}

async function ask(port, work) {
  const redis = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {}) // the failing call tells it
  try {
    await redis.connect()
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}
