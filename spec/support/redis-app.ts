import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { Connection, newClient } from '../../backends/bullmq/connection'
import type { Connection as Place } from '../../backends/bullmq/options'
import { backends } from '../../lib/backend-registry'
import { freshPrefix, redisUrl } from './redis'
import { RedisGround } from './redis-ground'
import { type RedisServer, startRedis } from './servers/redis'
import { catchLog } from './tasks'

export interface RedisApp {
  readonly ground: RedisGround
  readonly prefix: string
  /** A connection of its own to the same keys. */
  readonly connection: () => Connection
  /** Has TASKS as it was at first, or with another connection to the same keys. */
  configure(connection?: Place): void
}

interface RedisWish {
  readonly queues?: readonly string[]
  readonly options?: object
  /** Starts a Redis of its own, for what others must not be disturbed by. */
  readonly isAlone?: boolean
  /** Another place than the Redis of the specs, with what all its keys begin with. */
  readonly place?: { readonly connection: () => Place; readonly prefix: string }
}

/** An app whose default backend is Redis, for the specs of a `describeOnRedis`: configured before them, closed after them. */
export function redisApp({
  queues = ['default'],
  options = {},
  isAlone = false,
  place,
}: RedisWish = {}): RedisApp {
  let server: RedisServer | undefined
  const where = (): Place => place?.connection() ?? server?.url ?? redisUrl()
  const prefix = place?.prefix ?? freshPrefix()
  let connection: Connection | undefined
  const opened = (): Connection => {
    if (connection) return connection
    const client = newClient({ connection: where() }, 'default')
    return (connection = new Connection(client, { alias: 'default', prefix, leaseMs: 30_000 }))
  }
  const configure = (by: Place = where()): void => {
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: [...queues],
        OPTIONS: { connection: by, prefix, ...options },
      },
    })
  }

  beforeAll(async () => {
    catchLog()
    if (isAlone) server = await startRedis()
    configure()
  })
  afterAll(async () => {
    await backends.get('default').close()
    await connection?.close()
    await server?.stop()
  })
  return { ground: new RedisGround(opened), prefix, connection: opened, configure }
}
