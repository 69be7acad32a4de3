import { Redis } from 'ioredis'
import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'
import { runUntilEmpty } from '#start-worker'
import { backendContract } from '../contract/backend.contract'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

describeOnRedis('BullMQBackend', () => {
  const prefix = freshPrefix()
  let redis: Redis

  beforeAll(() => void (redis = new Redis(redisUrl())))
  afterAll(() => redis.disconnect())
  afterEach(async () => {
    await backends.get('default').close()
    const keys = await redis.keys(`${prefix}:*`)
    if (keys.length > 0) await redis.del(...keys)
  })

  backendContract({
    BACKEND: BullMQBackend,
    options: () => ({ connection: redisUrl(), prefix }),
    runs: 'later',
    work: () => runUntilEmpty({ queues: '*' }),
    namesQueues: true,
    warns: true,
  })

  it('must know the names of its queues', () => {
    expect(() =>
      configureTasks({
        default: { BACKEND: BullMQBackend, QUEUES: [], OPTIONS: { connection: redisUrl() } },
      }),
    ).toThrow('TASKS.default.QUEUES is empty, and the BullMQ backend must know the names')
  })
})
