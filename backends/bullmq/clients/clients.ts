import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { libraries } from '../load'
import type { BullMQOptions, ClusterConnection } from '../options'
import { wayOf } from './asked'
import { type Client, isClusterClient } from './client-of-app'
import { watchNodes } from './cluster-nodes'

export const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** Milliseconds that a command may take, waiting for a connection included. */
const COMMAND_MS = 10_000

/**
 * A Redis that is away is told to the caller soon, who decides what to do: an enqueue fails, a worker waits. ioredis alone would
 * wait for ever, or for 20 tries. Times are in ms.
 */
const SOON = {
  connectTimeout: 5_000,
  commandTimeout: COMMAND_MS,
  // A host that went away without a word leaves a connection on which nothing ever comes: it is given up, and made anew.
  socketTimeout: COMMAND_MS,
  // For how long a process may be kept alive by a connection that is not there.
  disconnectTimeout: 200,
  maxRetriesPerRequest: 1,
  retryStrategy: (times: number) => Math.min(times * 100, 2_000),
  // A former master: the next connection leads to the new one, by Sentinel or by the address that both share.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  // All that is sent in one turn of the event loop is one write, and one round trip.
  enableAutoPipelining: true,
} satisfies RedisOptions

/** What the app has made: it also closes it. */
const lent = new WeakSet<Client>()
const seen = new WeakSet<Client>()
/** How often a client has lost a connection. */
const losses = new WeakMap<Client, number>()
/** Why a client could not connect at last: the errors of its commands do not tell. */
const troubles = new WeakMap<Client, Error>()

/**
 * A client for who asks, which connects by itself, and again whenever it was cut off; or that of the app. `gathers`: what is sent
 * in one turn is one write. A pipeline for each turn costs more than it saves where most turns send one command (measured: half).
 */
export function newClient(
  { connection = DEFAULT_URL }: Pick<BullMQOptions, 'connection'>,
  alias: string,
  gathers = true,
): Client {
  const soon = { ...SOON, enableAutoPipelining: gathers }
  const way = wayOf(connection, `TASKS.${alias}.OPTIONS.connection`)
  if (way.how === 'client') {
    lent.add(way.client)
    return watched(way.client)
  }
  const { Redis } = libraries(alias).ioredis
  if (way.how === 'url') return watched(new Redis(way.url, soon))
  if (way.how === 'options') return watched(new Redis({ ...soon, ...way.options }))
  return watched(newCluster(way.cluster, alias))
}

/** Another connection to the same Redis, to be closed by who asks: for what one that others use cannot do, such as to listen. */
export function likeIt(client: Client): Client {
  const other = isClusterClient(client)
    ? client.duplicate(undefined, { redisOptions: { ...client.options.redisOptions, ...SOON } })
    : client.duplicate(SOON)
  return watched(other)
}

/** Whether it is a client of the app. */
export function isLent(client: Client): boolean {
  return lent.has(client)
}

/** Gives a client up, unless it is the app's. */
export function giveUp(client: Client): void {
  if (!lent.has(client)) client.disconnect()
}

/** Why there was no connection at last, if there was none. */
export function troubleOf(client: Client): Error | undefined {
  return troubles.get(client)
}

/**
 * How often this client has lost a connection. If that changes between a command and its answer, ioredis may have sent the command
 * twice, and both times it was carried out.
 */
export function lossesOf(client: Client): number {
  return losses.get(client) ?? 0
}

function watched(client: Client): Client {
  if (seen.has(client)) return client
  seen.add(client)
  // Errors of the connection reach the callers of commands; without a listener they would be printed.
  client.on('error', (error: Error) => troubles.set(client, error))
  client.on('ready', () => troubles.delete(client))
  const watch = (connection: Redis): void => {
    forgetSilence(connection)
    connection.on('close', () => losses.set(client, lossesOf(client) + 1))
  }
  if (isClusterClient(client)) {
    // That of an app may have some already.
    for (const node of client.nodes()) watch(node)
    client.on('+node', watch)
    watchNodes(client)
  } else watch(client)
  return client
}

/**
 * ioredis counts the time of `socketTimeout` on when the connection has been lost meanwhile, and would then cut off the next one
 * (seen with 5.11).
 */
function forgetSilence(client: Redis): void {
  client.on('close', () => {
    clearTimeout(Reflect.get(client, 'socketTimeoutTimer'))
    Reflect.set(client, 'socketTimeoutTimer', undefined)
  })
}

/** What `Redis` has for `commandTimeout` is added: ioredis lets commands wait for ever while it looks for the nodes of a cluster. */
function newCluster({ nodes, options = {} }: ClusterConnection, alias: string): Cluster {
  const { redisOptions = {}, ...others } = options as ClusterOptions
  const { Cluster } = libraries(alias).ioredis
  const { commandTimeout = COMMAND_MS } = redisOptions
  class SoonCluster extends Cluster {
    override delayUntilReady(callback: Parameters<Cluster['delayUntilReady']>[0]): void {
      const silence = setTimeout(() => callback(new Error('Command timed out')), commandTimeout)
      super.delayUntilReady((...answer) => {
        clearTimeout(silence)
        callback(...answer)
      })
    }

    override sendCommand(...[command, ...on]: Parameters<Cluster['sendCommand']>): unknown {
      // It has waited for the nodes until its caller was told that it failed.
      if (command.isResolved) return command.promise
      command.setTimeout(commandTimeout)
      return super.sendCommand(command, ...on)
    }
  }
  return new SoonCluster([...nodes], {
    enableAutoPipelining: true,
    ...others,
    redisOptions: { ...SOON, ...redisOptions },
  })
}
