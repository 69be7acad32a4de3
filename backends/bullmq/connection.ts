import type { RedisConnection, RedisQueueBackend } from 'bullmq'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { InvalidSettingsError } from '../../lib/errors/errors'
import { libraries } from './load'
import { Names } from './names'
import type { BullMQOptions, ClusterConnection } from './options'
import { defineScripts } from './script'

export type Client = Redis | Cluster

const URL = 'redis://127.0.0.1:6379'

/**
 * A Redis that is away is told to the caller soon, who decides what to do: an enqueue fails, a worker waits. ioredis alone would
 * wait for ever, or for 20 tries. Times are in ms.
 */
const SOON: RedisOptions = {
  connectTimeout: 5_000,
  commandTimeout: 10_000,
  maxRetriesPerRequest: 1,
  retryStrategy: (times) => Math.min(times * 100, 2_000),
  // All that is sent in one turn of the event loop is one write, and one round trip.
  enableAutoPipelining: true,
}

/** A Redis with the keys of one backend: a client, and BullMQ's way to each of its queues by that one client. */
export class Connection {
  readonly client: Client
  readonly names: Names
  readonly #alias: string
  readonly #leaseMs: number
  readonly #queues = new Map<string, RedisQueueBackend>()
  readonly #shared: RedisConnection

  constructor(client: Client, { alias, prefix, leaseMs }: ConnectionSettings) {
    this.client = client
    this.names = new Names(prefix)
    this.#alias = alias
    this.#leaseMs = leaseMs
    // Both before anything is sent, see `defineScripts`: this one makes BullMQ's scripts known.
    defineScripts(client)
    this.#shared = sharedConnection(client, alias)
  }

  /** `name`: BullMQ's, see `Names.queuesOf`. */
  queue(name: string): RedisQueueBackend {
    const known = this.#queues.get(name)
    if (known) return known
    const { RedisQueueBackend, QueueKeys } = libraries(this.#alias).bullmq
    const { prefix } = this.names
    const keys = new QueueKeys(prefix)
    const options = { connection: this.client, prefix, lockDuration: this.#leaseMs }
    const queue = new RedisQueueBackend(
      this.#shared,
      name,
      keys.getKeys(name),
      (type) => keys.toKey(name, type),
      options,
      undefined,
      // The connection is of all queues: none of them closes it, or listens to it.
      false,
    )
    this.#queues.set(name, queue)
    return queue
  }

  async close(): Promise<void> {
    this.client.disconnect()
  }
}

export interface ConnectionSettings {
  readonly alias: string
  readonly prefix: string
  /** For how long a claim holds a job. */
  readonly leaseMs: number
}

/**
 * A client as BullMQ takes it, for all queues of a backend. BullMQ is kept from waiting for the connection, and from asking for
 * the version: it would wait for ever for a Redis that is away when it begins, and what fails once stays failed.
 */
function sharedConnection(client: Client, alias: string): RedisConnection {
  const { RedisConnection } = libraries(alias).bullmq
  const shared = new RedisConnection(client, {
    shared: true,
    blocking: false,
    skipVersionCheck: true,
    skipWaitingForReady: true,
  })
  // What becomes of the connection is told to those who use it, by the errors of their commands.
  shared.on('error', () => {})
  return shared
}

/** A client of its own for who asks; it connects by itself, and again whenever it was cut off. */
export function newClient(
  { connection = URL }: Pick<BullMQOptions, 'connection'>,
  alias: string,
): Client {
  const { ioredis } = libraries(alias)
  const client =
    typeof connection === 'string'
      ? new ioredis.Redis(connection, SOON)
      : isCluster(connection)
        ? newCluster(connection.cluster, alias)
        : new ioredis.Redis({ ...SOON, ...connection })
  // Errors of the connection reach the callers of commands; without a listener they would be printed.
  client.on('error', () => {})
  return client
}

export function isCluster(
  connection: string | object,
): connection is { cluster: ClusterConnection } {
  return typeof connection === 'object' && 'cluster' in connection
}

function newCluster({ nodes, options = {} }: ClusterConnection, alias: string): Cluster {
  const { ioredis } = libraries(alias)
  const { redisOptions = {}, ...others } = options as { redisOptions?: RedisOptions }
  return new ioredis.Cluster([...nodes], {
    enableAutoPipelining: true,
    ...others,
    redisOptions: { ...SOON, ...redisOptions },
  })
}

/** All keys of a backend must be on one node of a cluster: a script changes several of them. */
export function assertOneSlot(prefix: string, alias: string): void {
  if (/\{[^}]+\}/.test(prefix)) return
  throw new InvalidSettingsError(
    `TASKS.${alias}.OPTIONS.prefix: "${prefix}" has no part in braces, so the keys of a task would be on several nodes of the cluster.`,
    `Write e.g. "{${prefix}}".`,
  )
}
