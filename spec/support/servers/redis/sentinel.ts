import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ThrowAway } from '../throw-away'
import { asked, infoOf, until } from './asked'
import { redisProgram } from './program'
import { flags, RedisServer } from './server'

/** The name under which the sentinel knows the master. */
const NAME = 'tasks'

/** A master, its replica, and a sentinel that makes the replica the master when the master is lost. */
export interface RedisSentinel {
  /** What `new Redis({ name, sentinels })` of ioredis takes. */
  readonly name: string
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** The first master and the first replica, whoever is which after a failover. Each may be killed and restarted. */
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinel: ThrowAway
  /** Kills the first master as a crash would, and waits until the replica has taken its place: some seconds. Call it once. */
  failover(): Promise<void>
  stop(): Promise<void>
}

export async function startSentinel(): Promise<RedisSentinel> {
  const master = new RedisServer({}, () => flags({ 'repl-diskless-sync-delay': 0 }))
  const replica = new RedisServer({}, () => flags({ replicaof: `127.0.0.1 ${master.port}` }))
  const sentinel = sentinelOf(master)
  const stop = async (): Promise<void> => {
    // The sentinel first: it would otherwise begin a failover.
    for (const server of [sentinel, replica, master]) await server.stop()
  }
  try {
    await master.start()
    await replica.start()
    // A sentinel asks its master for replicas when it starts, and then every ten seconds.
    await until('the replica has what the master has', () => isReplicating(replica.port))
    await sentinel.start()
    await until('the sentinel knows the replica', () => knows(sentinel.port, replica.port))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: NAME,
    sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
    master,
    replica,
    sentinel,
    failover: async () => {
      await master.kill()
      await until('the replica is the master', () => isMaster(sentinel.port, replica.port))
    },
    stop,
  }
}

function sentinelOf(master: RedisServer): ThrowAway {
  const program = redisProgram()
  return new ThrowAway({
    name: 'sentinel',
    crash: 'SIGKILL',
    quit: 'SIGTERM',
    // It must be a file, which the sentinel rewrites with what it learns; so a restart keeps it.
    install: async ({ folder }) => {
      await writeFile(join(folder, 'sentinel.conf'), settings(master.port))
    },
    command: ({ folder }, port) => [
      program,
      join(folder, 'sentinel.conf'),
      '--sentinel',
      ...flags({ port, dir: folder, bind: '127.0.0.1' }),
    ],
    version: (port) => asked(port, (redis) => infoOf(redis, 'redis_version')),
  })
}

function settings(masterPort: number): string {
  return `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 1
sentinel down-after-milliseconds ${NAME} 1000
sentinel failover-timeout ${NAME} 5000
`
}

async function isReplicating(port: number): Promise<boolean> {
  return (await asked(port, (redis) => infoOf(redis, 'master_link_status'))) === 'up'
}

async function knows(sentinelPort: number, replicaPort: number): Promise<boolean> {
  const replicas = await asked(sentinelPort, (redis) => redis.call('SENTINEL', 'replicas', NAME))
  return JSON.stringify(replicas).includes(`"127.0.0.1:${replicaPort}"`)
}

async function isMaster(sentinelPort: number, port: number): Promise<boolean> {
  const address = await asked(sentinelPort, (redis) =>
    redis.call('SENTINEL', 'get-master-addr-by-name', NAME),
  )
  if (!Array.isArray(address) || address[1] !== String(port)) return false
  return (await asked(port, (redis) => infoOf(redis, 'role'))) === 'master'
}
