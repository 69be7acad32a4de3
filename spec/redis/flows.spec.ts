import { flowContract } from '../contract/flow.contract'
import { lastTwoContract } from '../contract/last-two.contract'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'

describeOnRedis('flows', () => {
  const { ground } = redisApp()
  flowContract(ground)
  lastTwoContract(200, ground)
})
