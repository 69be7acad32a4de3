import type { RedisConnection } from 'bullmq'
import { libraries } from '../load'
import type { Client } from './client-of-app'

/**
 * A client as BullMQ takes it, for all queues of a backend. BullMQ is kept from waiting for the connection, and from asking for
 * the version: it would wait for ever for a Redis that is away when it begins, and what fails once stays failed. `check` looks
 * at the version.
 */
export function sharedConnection(client: Client, alias: string): RedisConnection {
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
