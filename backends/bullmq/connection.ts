import type { RedisConnection, RedisQueueBackend } from 'bullmq'
import type { Client } from './clients/client-of-app'
import { giveUp, likeIt } from './clients/clients'
import { sharedConnection } from './clients/shared'
import { libraries } from './load'
import { Names } from './names'
import { defineScripts } from './script'

export type { Client } from './clients/client-of-app'
export { newClient } from './clients/clients'

/** A Redis with the keys of one backend: a client, and BullMQ's way to each of its queues by that one client. */
export class Connection {
  readonly client: Client
  readonly names: Names
  /** For how long a claim holds a job. */
  readonly leaseMs: number
  readonly alias: string
  readonly #queues = new Map<string, RedisQueueBackend>()
  readonly #shared: RedisConnection

  constructor(client: Client, { alias, prefix, leaseMs }: ConnectionSettings) {
    this.client = client
    this.names = new Names(prefix)
    this.alias = alias
    this.leaseMs = leaseMs
    // Both before anything is sent, see `defineScripts`: this one makes BullMQ's scripts known.
    defineScripts(client)
    this.#shared = sharedConnection(client, alias)
  }

  /** `name`: BullMQ's, see `Names.queuesOf`. */
  queue(name: string): RedisQueueBackend {
    const known = this.#queues.get(name)
    if (known) return known
    const { RedisQueueBackend, QueueKeys } = libraries(this.alias).bullmq
    const { prefix } = this.names
    const keys = new QueueKeys(prefix)
    const options = { connection: this.client, prefix, lockDuration: this.leaseMs }
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

  /** A connection of its own for who listens to channels: this one could do nothing else then. To be given up by `disconnect`. */
  listener(): Client {
    return likeIt(this.client)
  }

  async close(): Promise<void> {
    // Takes BullMQ's listeners from the client, which may be the app's.
    await this.#shared.close()
    giveUp(this.client)
  }
}

export interface ConnectionSettings {
  readonly alias: string
  readonly prefix: string
  /** For how long a claim holds a job. */
  readonly leaseMs: number
}
