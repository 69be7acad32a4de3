import { Redis } from 'ioredis'
import { configureTasks } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '../../lib/backend-registry'
import { runUntilEmpty } from '#start-worker'
import { backendContract, type BackendPlace } from '../contract/backend.contract'
import { keysContract } from '../contract/keys.contract'
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

  const place: BackendPlace = {
    BACKEND: BullMQBackend,
    options: () => ({ connection: redisUrl(), prefix }),
    runs: 'later',
    work: () => runUntilEmpty({ queues: '*' }),
    namesQueues: true,
    warns: true,
  }
  backendContract(place)
  describe('keys', () => keysContract(place))

  it('must know the names of its queues', () => {
    expect(() =>
      configureTasks({
        default: { BACKEND: BullMQBackend, QUEUES: [], OPTIONS: { connection: redisUrl() } },
      }),
    ).toThrow('TASKS.default.QUEUES is empty, and the BullMQ backend must know the names')
  })
})
