import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { BullMQBackend } from '../../backends/bullmq'
import type { Connection as ConnectionOption } from '../../backends/bullmq/options'
import type { Problem } from '../../lib/backend'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { type RedisSettings, startRedisCluster, startSentinel } from '../support/servers/redis'
import { RedisServer } from '../support/servers/redis/server'

const KEPT: RedisSettings = { appendonly: true }
const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function check(connection: ConnectionOption, prefix = freshPrefix()): Promise<Problem[]> {
  const backend = new BullMQBackend('fast', { queues: ['mail'], options: { connection, prefix } })
  try {
    return await backend.check()
  } finally {
    await backend.close()
  }
}

async function serverWith(settings: RedisSettings, ...more: string[]): Promise<RedisServer> {
  const server = await new RedisServer(settings, () => more).start()
  closers.push(() => server.stop())
  return server
}

function connect(url: string): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  closers.push(async () => redis.disconnect())
  return redis
}

describeOnRedis('check of a Redis', () => {
  it('finds nothing where all is well', async () => {
    const server = await serverWith(KEPT)
    expect(await check(server.url)).toEqual([])
  })

  it('says that none is there, and why, within seconds', async () => {
    const before = performance.now()
    expect(await check('redis://user:secret@127.0.0.1:1')).toEqual([
      {
        level: 'error',
        message: 'Redis (TASKS.fast) cannot be reached: connect ECONNREFUSED 127.0.0.1:1.',
        hint: 'Is it running, and are host and port of OPTIONS.connection right?',
      },
    ])
    expect(performance.now() - before).toBeLessThan(3_000)
  })

  it('says that the password is missing or wrong, and not what it is', async () => {
    const server = await serverWith({ ...KEPT, requirepass: 'p@ss/word' })
    for (const url of [
      `redis://127.0.0.1:${server.port}`,
      `redis://:wrong@127.0.0.1:${server.port}`,
    ]) {
      const [problem, ...others] = await check(url)
      expect(others).toEqual([])
      expect(problem).toMatchObject({
        level: 'error',
        message: expect.stringMatching(/WRONGPASS|NOAUTH/) as string,
        hint: expect.stringContaining('OPTIONS.connection') as string,
      })
      expect(problem?.message).not.toContain('wrong@')
    }
    expect(await check(server.url)).toEqual([])
  })

  it.each([
    [{ ...KEPT, maxmemoryPolicy: 'allkeys-lru', maxmemory: '100mb' }, 'error', /drops tasks/],
    [{ ...KEPT, maxmemoryPolicy: 'volatile-ttl', maxmemory: '100mb' }, 'error', /drops leases/],
    [{ ...KEPT, maxmemoryPolicy: 'allkeys-lru' }, 'warning', /would drop, once maxmemory is set/],
    [{}, 'warning', /keeps nothing on disk/],
    [{ appendonly: true, appendfsync: 'no' }, 'warning', /appendfsync no.*half a minute/],
  ] as const)('tells of the settings %j', async (settings, level, message) => {
    const server = await serverWith(settings)
    const problems = await check(server.url)
    expect(problems).toMatchObject([{ level, message: expect.stringMatching(message) as string }])
    expect(problems[0]?.message).toContain(`127.0.0.1:${server.port}`)
  })

  it('tells when its memory is nearly full', async () => {
    const server = await serverWith(KEPT)
    const redis = connect(server.url)
    // Made by Redis itself: what it reads from a client counts as used until that buffer is let go.
    await redis.setrange('large', 20_000_000, 'x')
    const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
    await redis.config('SET', 'maxmemory', Math.round(used * 1.06))
    expect(await check(server.url)).toMatchObject([
      { level: 'warning', message: expect.stringMatching(/uses 9\d % of its maxmemory/) as string },
    ])
  })

  it('tells what is lost where there are snapshots only', async () => {
    const server = await serverWith({})
    await connect(server.url).config('SET', 'save', '3600 1')
    expect(await check(server.url)).toMatchObject([
      { level: 'warning', message: expect.stringContaining('snapshots only') as string },
    ])
  })

  it('says what it could not look at where CONFIG, or INFO, is forbidden', async () => {
    const server = await serverWith({}, '--rename-command', 'CONFIG', '')
    expect(await check(server.url)).toMatchObject([
      { level: 'warning', message: expect.stringContaining('CONFIG is forbidden') as string },
    ])

    const kept = await serverWith(KEPT)
    await connect(kept.url).acl('SETUSER', 'ann', 'on', '>secret', '~*', '&*', '+@all', '-config')
    expect(await check(`redis://ann:secret@127.0.0.1:${kept.port}`)).toEqual([])
    await connect(kept.url).acl('SETUSER', 'ann', '-info')
    const warn = jest.spyOn(console, 'warn').mockImplementation(() => {})
    expect(await check(`redis://ann:secret@127.0.0.1:${kept.port}`)).toMatchObject([
      { level: 'warning', message: expect.stringContaining('INFO is forbidden') as string },
    ])
    warn.mockRestore()
  })

  it.each([
    [-5_000, /is 5\.\d s ahead of the clock of this host/],
    [5_000, /is [45]\.\d s behind the clock of this host/],
  ])('tells that the clock of this host is %i ms off', async (offMs, message) => {
    const server = await serverWith(KEPT)
    const now = Date.now.bind(Date)
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + offMs)
    try {
      expect(await check(server.url)).toEqual([
        {
          level: 'warning',
          message: expect.stringMatching(message) as string,
          hint: expect.stringContaining('NTP') as string,
        },
      ])
    } finally {
      clock.mockRestore()
    }
  })

  it('says that a user may not write the keys of the prefix', async () => {
    const server = await serverWith(KEPT)
    await connect(server.url).acl('SETUSER', 'ann', 'on', '>secret', '~shop*', '&shop*', '+@all')
    const url = `redis://ann:secret@127.0.0.1:${server.port}`
    expect(await check(url, 'shop')).toEqual([])
    expect(await check(url, 'other')).toMatchObject([
      { level: 'error', hint: expect.stringContaining('ACL SETUSER') as string },
    ])
  })

  it('says that memory is used up', async () => {
    const server = await serverWith({ ...KEPT, maxmemory: 1 })
    expect(await check(server.url)).toContainEqual({
      level: 'warning',
      message: expect.stringContaining('OOM') as string,
      hint: expect.stringContaining('maxmemory') as string,
    })
  })

  it('tells of jobs of another program, and not of its own', async () => {
    const prefix = freshPrefix()
    const url = redisUrl()
    const { port, hostname, pathname } = new URL(url)
    const db = Number(pathname.slice(1))
    const queue = new Queue('mail', { prefix, connection: { host: hostname, port: +port, db } })
    closers.push(() => queue.close())
    const ours = { v: 1, options: null, args: [], kwargs: {} }
    await queue.add('ours', ours)
    const others = async (): Promise<Problem[]> =>
      (await check(url, prefix)).filter(({ message }) => message.includes('another program'))
    expect(await others()).toEqual([])

    for (const options of [{}, { delay: 60_000 }, { priority: 5 }]) {
      const job = await queue.add('theirs', { to: 'ann' }, options)
      expect(await others()).toEqual([
        {
          level: 'warning',
          message: expect.stringContaining(`in "${prefix}:mail" waits a job`) as string,
          hint: expect.stringContaining('OPTIONS.prefix') as string,
        },
      ])
      await job.remove()
    }
  })

  it('tells of a node of a cluster that is taken for a single server, and looks at each master', async () => {
    const cluster = await startRedisCluster({ appendonly: true })
    closers.push(() => cluster.stop())
    const [first, second] = cluster.servers
    expect(await check(first!.url)).toMatchObject([
      { level: 'error', message: expect.stringContaining('a node of a Redis Cluster') as string },
    ])

    const connection = { cluster: { nodes: cluster.nodes } }
    expect(await check(connection, '{shop}')).toEqual([])
    await connect(second!.url).config('SET', 'appendfsync', 'no')
    expect(await check(connection, '{shop}')).toMatchObject([
      { message: expect.stringContaining(`:${second!.port} has appendfsync no`) as string },
    ])
  })

  it('tells of a replica and of a Sentinel, and finds the master by Sentinels', async () => {
    const { name, sentinels, master, replica, sentinel, stop } = await startSentinel()
    closers.push(stop)
    expect(await check(replica.url)).toMatchObject([
      {
        level: 'error',
        message: expect.stringContaining(`is a replica of 127.0.0.1:${master.port}`) as string,
      },
    ])
    expect(await check(`redis://127.0.0.1:${sentinel.port}`)).toMatchObject([
      { level: 'error', message: expect.stringContaining('is a Sentinel') as string },
    ])
    const found = await check({ name, sentinels: [...sentinels] })
    expect(found.filter(({ level }) => level === 'error')).toEqual([])
    expect(found[0]?.message).toContain(`the master "${name}" keeps nothing`)
  })
})
