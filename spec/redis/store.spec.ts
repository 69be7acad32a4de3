import { BullMQBackend } from '../../backends/bullmq'
import { RedisRows } from '../contract/redis-rows'
import { claim } from '../contract/rows'
import { REDIS_QUEUES as QUEUES, redisStoreContract } from '../contract/redis-store.contract'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'

describeOnRedis('the store of the BullMQ backend', () => {
  const prefix = freshPrefix()
  it('takes urgent ones by priority, then the others by age, and those of a priority below 0 last', async () => {
    const all = new RedisRows(redisUrl(), `${prefix}-order`, QUEUES)
    const [low, lower, young, old, high, higher, mail] = await all.add(
      { priority: -1 },
      { priority: -100 },
      { enqueuedAt: new Date(Date.now() - 60_000) },
      { enqueuedAt: new Date(Date.now() - 120_000) },
      { priority: 1 },
      { priority: 100 },
      { priority: 1, queueName: 'mail' },
    )
    const options = { connection: redisUrl(), prefix: `${prefix}-order-default` }
    const store = await new BullMQBackend('default', { queues: QUEUES, options }).openStore({})

    const { claimed } = await claim(store, 9)

    expect(claimed.map(({ values }) => values.id)).toEqual([
      higher,
      high,
      mail,
      old,
      young,
      low,
      lower,
    ])
    await Promise.all([store.close(), all.close()])
  })

  redisStoreContract(() => redisUrl(), prefix)
})
