import { Cluster, Redis } from 'ioredis'
import { BullMQBackend } from '../../../backends/bullmq'
import { isAway } from '../../../backends/bullmq/clients/away'
import { isBefore, serverProblems } from '../../../backends/bullmq/checks/server'
import { task } from '../../../lib/tasks/define'
import { isBullMQ, isIoredis, load } from '../../../backends/bullmq/load'
import { InvalidSettingsError } from '../../../lib/errors/errors'

const make = (connection: unknown, prefix?: string): BullMQBackend =>
  new BullMQBackend('fast', {
    queues: ['mail'],
    options: { connection, ...(prefix === undefined ? {} : { prefix }) },
  })

const messageOf = (connection: unknown, prefix?: string): string => {
  try {
    make(connection, prefix)
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidSettingsError)
    return (error as Error).message
  }
  return 'nothing was wrong'
}

describe('where Redis is', () => {
  const clients: (Redis | Cluster)[] = []
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect()
  })

  it.each([
    undefined,
    'redis://127.0.0.1:6379',
    'rediss://user:p%40ss@redis.example.org:6380/2',
    'redis://[::1]:6379',
    'redis://host?family=6',
    '/run/redis/redis.sock',
    { host: 'redis', port: 6379, db: 3, tls: {} },
    { sentinels: [{ host: 'a', port: 26379 }, { port: 26379 }], name: 'mymaster' },
  ])('may be %j, and nothing is opened for that', (connection) => {
    expect(make(connection)).toBeInstanceOf(BullMQBackend)
  })

  it('may be a client of the app, of another copy of ioredis, too', () => {
    const client = new Redis({ lazyConnect: true })
    clients.push(client)
    expect(make(client)).toBeInstanceOf(BullMQBackend)
    expect(client.status).toBe('wait')
  })

  it.each([
    ['localhost:6379', /connection: expected a URL .*, got 'localhost:6379'/],
    ['http://localhost:6379', /got 'http:/],
    ['redis://host/zero', /database stands after the port/],
    ['redis://us er@host', /got 'redis:/],
    ['redis://user:se/c@ret@host:6379', /encodeURIComponent/],
    [6379, /got 6379/],
    [[], /got an array/],
    [new Date(), /got Date/],
    [Redis, /got class Redis/],
    [{ url: 'redis://host' }, /connection\.url: ioredis has no such option/],
    [{ hostname: 'host' }, /connection\.hostname: .* Write host\./],
    [{ host: 'host', database: 1 }, /Write db\./],
    [{ keyPrefix: 'x:' }, /keyPrefix \('x:'\) cannot be used.*OPTIONS\.prefix/],
    [{ enableOfflineQueue: false }, /first enqueue of each process/],
    [{ sentinels: [{ host: 'a', port: 26379 }] }, /connection\.name: .* 'mymaster'/],
    [{ sentinels: [], name: 'mymaster' }, /sentinels: expected a list of/],
    [{ sentinels: 'redis://a', name: 'mymaster' }, /sentinels: expected a list of/],
    [{ cluster: [] }, /cluster: expected \{ nodes/],
    [{ cluster: { nodes: [] } }, /cluster\.nodes: expected a list/],
    [{ cluster: { nodes: [{}] } }, /cluster\.nodes: expected a list/],
    [{ cluster: { nodes: ['redis://a'], options: { keyPrefix: 'x' } } }, /keyPrefix/],
    [
      { cluster: { nodes: ['redis://a'], options: { redisOptions: { keyPrefix: 'x' } } } },
      /redisOptions: .*keyPrefix/,
    ],
  ])('is refused when TASKS is read: %p', (connection, message) => {
    expect(messageOf(connection)).toMatch(message)
  })

  it('is refused without its password', () => {
    expect(messageOf('http://user:secret@host')).not.toContain('secret')
    expect(messageOf('redis://user:se/cret@host')).not.toContain('cret')
  })

  it('is refused as a client with a keyPrefix, as one that is closed, and as one of another library', () => {
    const withPrefix = new Redis({ lazyConnect: true, keyPrefix: 'x:' })
    clients.push(withPrefix)
    expect(messageOf(withPrefix)).toMatch(/keyPrefix/)

    const closed = new Redis({ lazyConnect: true })
    closed.disconnect()
    expect(messageOf(closed)).toMatch(/has been closed/)

    class NodeRedis {
      sendCommand(): void {}
    }
    expect(messageOf(new NodeRedis())).toMatch(/a client of another library.*ioredis, or the URL/)
  })

  it('is on a cluster only with a prefix that has a part in braces', () => {
    const cluster = { cluster: { nodes: ['redis://127.0.0.1:1'] } }
    const client = new Cluster([{ port: 1 }], { lazyConnect: true })
    clients.push(client)
    for (const connection of [cluster, client]) {
      expect(messageOf(connection)).toMatch(/prefix: "tasks-fast" .* Write e\.g\. "\{tasks-fast\}"/)
      expect(messageOf(connection, 'shop{}{x}')).toMatch(/Write e\.g\. "\{shopx\}"/)
      expect(make(connection, '{shop}')).toBeInstanceOf(BullMQBackend)
      expect(make(connection, 'a{shop}')).toBeInstanceOf(BullMQBackend)
    }
  })
})

it.each(['retention', 'ttl', 'removeOnComplete', 'removeOnFail', 'expire', 'keepResult'])(
  'says that results are kept by keepResults to somebody who writes %s',
  (name) => {
    const options = { [name]: 1000 }
    expect(() => new BullMQBackend('fast', { queues: ['mail'], options })).toThrow(
      `TASKS.fast.OPTIONS: unknown key "${name}". Did you mean "keepResults"?`,
    )
    expect(() => task('words.options', () => 1, options)).toThrow('Did you mean "keepResults"?')
  },
)

it.each([
  ['url', 'connection'],
  ['host', 'connection'],
  ['keyPrefix', 'prefix'],
  ['lockDuration', 'leaseSeconds'],
])('says what %s is called', (name, ours) => {
  const options = { [name]: 'x' }
  expect(() => new BullMQBackend('fast', { queues: ['mail'], options })).toThrow(
    `Did you mean "${ours}"?`,
  )
})

it('a prefix has no colon, and the error says so', () => {
  expect(messageOf('redis://127.0.0.1:1', 'shop:')).toBe(
    'TASKS.fast.OPTIONS.prefix: expected a text without spaces and colons, e.g. "shop", or "{shop}" on a Redis Cluster (a colon is put behind it), got \'shop:\'. Correct the setting.',
  )
})

it('two backends have different keys: each would run the tasks of the other', () => {
  const fast = new BullMQBackend('fast', { queues: ['a'], options: { prefix: 'shop' } })
  const slow = new BullMQBackend('slow', { queues: ['b'], options: { prefix: 'shop' } })
  const other = new BullMQBackend('other', { queues: ['a'], options: {} })
  const all = new Map([fast, slow, other].map((each) => [each.alias, each]))

  expect(() => fast.join(all)).toThrow(
    'TASKS.fast and TASKS.slow have the same keys in Redis, with the prefix "shop"',
  )
  expect(() => other.join(all)).not.toThrow()
})

describe('the packages of the app', () => {
  it('that are missing or too old are told with the command that installs them', () => {
    const missing = (): object => {
      throw new Error("Cannot find module 'bullmq'\nRequire stack:")
    }
    expect(() => load('bullmq', 'fast', missing, () => true)).toThrow(
      'TASKS.fast: the BullMQ backend needs the package "bullmq", which could not be loaded (Cannot find module \'bullmq\'). Run: npm install bullmq@6 ioredis@5',
    )
    // BullMQ 5 lacks what is used here, ioredis 4 exports no Redis.
    expect(() => load('bullmq', 'fast', () => ({}), isBullMQ)).toThrow(
      'TASKS.fast: the package "bullmq" that is installed is too old for the BullMQ backend. Run: npm install bullmq@6 ioredis@5',
    )
    expect(() => load('ioredis', 'fast', () => ({ Cluster }), isIoredis)).toThrow(/too old/)
  })
})

it.each([
  [new Error('Connection is closed.'), true],
  [new Error('Command timed out'), true],
  [new Error('LOADING Redis is loading the dataset in memory'), true],
  [new Error("READONLY You can't write against a read only replica."), true],
  [new Error('CLUSTERDOWN The cluster is down'), true],
  [Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), true],
  [Object.assign(new Error('x'), { name: 'ClusterAllFailedError' }), true],
  [new Error('WRONGPASS invalid username-password pair or user is disabled.'), false],
  [new Error("OOM command not allowed when used memory > 'maxmemory'."), false],
  [new Error('the task said LOADING'), false],
  [null, false],
  ['Command timed out', false],
])('%p is told to be an error of a Redis that is away: %p', (error, away) => {
  expect(isAway(error)).toBe(away)
})

describe('the version of Redis', () => {
  it.each([
    ['6.0.16', '6.2.0', true],
    ['6.2.0', '6.2.0', false],
    ['6.2', '6.2.0', false],
    ['7.0.15', '6.2.0', false],
    ['10.0.0', '6.2.0', false],
    ['5.0.3-rc1', '6.2.0', true],
  ])('%s is before %s: %p', (version, other, is) => {
    expect(isBefore(version, other)).toBe(is)
  })

  it('that is too old is an error with the way out', () => {
    const info = (name: string): string | undefined =>
      name === 'redis_version' ? '5.0.14' : undefined
    const seen = { where: 'host:6379', info, setting: () => undefined, aheadMs: 0 }
    expect(serverProblems(seen, false, 'Redis (TASKS.fast)')).toEqual([
      {
        level: 'error',
        message:
          'Redis (TASKS.fast), host:6379 is Redis 5.0.14, which is too old: tasks need Redis 6.2 or later, or Valkey.',
        hint: 'Move to a later Redis.',
      },
    ])
  })
})
