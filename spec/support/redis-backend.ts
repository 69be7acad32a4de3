import { Redis } from 'ioredis'
import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'
import { freshPrefix, redisUrl } from './redis'

export interface OnRedis {
  readonly prefix: string
  /** A client of the spec's own. */
  readonly redis: Redis
  /** The backend of the alias `default`. */
  readonly backend: () => BullMQBackend
  /** Another one on the same keys, as another process has it. */
  readonly another: () => BullMQBackend
  /** BullMQ's key of a queue. */
  readonly key: (queue: string, what: string) => string
}

/** A backend on Redis for the specs of a file, with the queues `default` and `mail`. Its keys are gone before each. */
export function backendOnRedis(queues: readonly string[] = ['default', 'mail']): OnRedis {
  const prefix = freshPrefix()
  const options = { connection: redisUrl(), prefix }
  const redis = new Redis(redisUrl(), { lazyConnect: true })
  const others: BullMQBackend[] = []
  const another = (): BullMQBackend => {
    const other = new BullMQBackend('default', { queues, options })
    others.push(other)
    return other
  }

  beforeEach(async () => {
    const keys = await redis.keys(`${prefix}:*`)
    if (keys.length > 0) await redis.del(...keys)
    configureTasks({ default: { BACKEND: BullMQBackend, QUEUES: [...queues], OPTIONS: options } })
  })
  afterEach(async () => {
    await backends.get('default').close()
    for (const other of others.splice(0)) await other.close()
  })
  afterAll(() => redis.disconnect())

  return {
    prefix,
    redis,
    backend: () => backends.get('default') as BullMQBackend,
    another,
    key: (queue, what) => `${prefix}:${queue}:${what}`,
  }
}
