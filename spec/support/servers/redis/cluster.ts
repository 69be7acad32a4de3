import { asked, until } from './asked'
import { flags, RedisServer, type RedisSettings } from './server'

const SLOTS = 16_384

/** Three masters that share the slots, without replicas. */
export interface RedisCluster {
  /** What `new Cluster(nodes)` of ioredis takes. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  /** Each may be killed and restarted. While one is away, the whole cluster refuses commands, as is Redis' default. */
  readonly servers: readonly RedisServer[]
  /** Waits until every master knows that all slots are served. */
  settled(): Promise<void>
  stop(): Promise<void>
}

export async function startRedisCluster(
  settings: Pick<RedisSettings, 'appendonly' | 'appendfsync'> = {},
): Promise<RedisCluster> {
  const servers = [node(settings), node(settings), node(settings)]
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
  }
  const settled = async (): Promise<void> => {
    await Promise.all(servers.map(({ port }) => until(`cluster on port ${port}`, () => isOk(port))))
  }
  try {
    const starting = await Promise.allSettled(servers.map((server) => server.start()))
    for (const one of starting) if (one.status === 'rejected') throw one.reason
    await join(servers.map(({ port }) => port))
    await settled()
  } catch (error) {
    await stop()
    throw error
  }
  return { nodes: servers.map(({ port }) => ({ host: '127.0.0.1', port })), servers, settled, stop }
}

function node(settings: RedisSettings): RedisServer {
  return new RedisServer(settings, (port) =>
    flags({
      'cluster-enabled': 'yes',
      'cluster-node-timeout': 2000,
      'cluster-port': busOf(port),
    }),
  )
}

/** The port on which masters speak with each other: Redis' own choice would be above the last port for many. */
function busOf(port: number): number {
  return port > 55_535 ? port - 10_000 : port + 10_000
}

/** Gives each an equal part of the slots, and makes them known to the first, which makes them known to each other. */
async function join(ports: readonly number[]): Promise<void> {
  const [first = 0] = ports
  for (const [at, port] of ports.entries())
    await asked(port, async (redis) => {
      const from = Math.floor((at * SLOTS) / ports.length)
      const to = Math.floor(((at + 1) * SLOTS) / ports.length) - 1
      // Two of one epoch would have to settle that before they serve.
      await redis.cluster('SET-CONFIG-EPOCH', at + 1)
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
      if (port !== first) await redis.call('CLUSTER', 'MEET', '127.0.0.1', first, busOf(first))
    })
}

async function isOk(port: number): Promise<boolean> {
  const info = await asked(port, (redis) => redis.cluster('INFO'))
  return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
}
