import { BullMQBackend } from '../../backends/bullmq'
import type { Connection } from '../../backends/bullmq/options'
import { RedisRows } from './redis-rows'
import { storeContract } from './store.contract'

/** The queues of the contract's rows. */
export const REDIS_QUEUES: readonly string[] = ['default', 'mail', 'report', 'slow', `o'q"\\;--`]

/** What each store must do, of the store on a Redis. `prefix`: what the keys begin with; the alias follows. */
export function redisStoreContract(connectionOf: () => Connection, prefix: string): void {
  let rows: RedisRows | undefined
  const backends: BullMQBackend[] = []

  afterAll(async () => {
    await rows?.close()
    await Promise.all(backends.map((backend) => backend.close()))
  })

  storeContract(
    async () => {
      rows = new RedisRows(connectionOf(), prefix, REDIS_QUEUES)
      return {
        rows,
        backend: (alias, options) => {
          const connection = { connection: connectionOf(), prefix: `${prefix}-${alias}` }
          const backend = new BullMQBackend(alias, {
            queues: REDIS_QUEUES,
            options: { ...connection, ...options },
          })
          backends.push(backend)
          return backend
        },
      }
    },
    {
      ordersAll: false,
      skipsLocked: false,
      sharesPlace: false,
      takesOddIds: true,
      keepsAnyText: true,
      keepsAnyInstant: false,
      keepsAnyPriority: false,
    },
  )
}
