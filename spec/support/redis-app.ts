import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { Connection, newClient } from '../../backends/bullmq/connection'
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
  /** Has TASKS as it was at first. */
  configure(): void
}

interface RedisWish {
  readonly queues?: readonly string[]
  readonly options?: object
  /** Starts a Redis of its own, for what others must not be disturbed by. */
  readonly isAlone?: boolean
}

/** An app whose default backend is Redis, for the specs of a `describeOnRedis`: configured before them, closed after them. */
export function redisApp({
  queues = ['default'],
  options = {},
  isAlone = false,
}: RedisWish = {}): RedisApp {
  let server: RedisServer | undefined
  const url = (): string => server?.url ?? redisUrl()
  const prefix = freshPrefix()
  let connection: Connection | undefined
  const opened = (): Connection => {
    if (connection) return connection
    const client = newClient({ connection: url() }, 'default')
    return (connection = new Connection(client, { alias: 'default', prefix, leaseMs: 30_000 }))
  }
  const configure = (): void => {
    configureTasks({
      default: {
        BACKEND: BullMQBackend,
        QUEUES: [...queues],
        OPTIONS: { connection: url(), prefix, ...options },
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
