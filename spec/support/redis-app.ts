import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { Connection, newClient } from '../../backends/bullmq/connection'
import { backends } from '../../lib/backend-registry'
import { freshPrefix, redisUrl } from './redis'
import { RedisGround } from './redis-ground'
import { catchLog } from './tasks'

export interface RedisApp {
  readonly ground: RedisGround
  readonly prefix: string
  /** A connection of its own to the same keys. */
  readonly connection: () => Connection
  /** Has TASKS as it was at first. */
  configure(): void
}

/** An app whose default backend is Redis, for the specs of a `describeOnRedis`: configured before them, closed after them. */
export function redisApp({
  queues = ['default'],
  options = {},
}: { readonly queues?: readonly string[]; readonly options?: object } = {}): RedisApp {
  const prefix = freshPrefix()
  let connection: Connection | undefined
  const opened = (): Connection => {
    if (connection) return connection
    const client = newClient({ connection: redisUrl() }, 'default')
    return (connection = new Connection(client, { alias: 'default', prefix, leaseMs: 30_000 }))
  }
  const configure = (): void => {
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: [...queues],
        OPTIONS: { connection: redisUrl(), prefix, ...options },
      },
    })
  }

  beforeAll(() => {
    catchLog()
    configure()
  })
  afterAll(async () => {
    await backends.get('default').close()
    await connection?.close()
  })
  return { ground: new RedisGround(opened), prefix, connection: opened, configure }
}
