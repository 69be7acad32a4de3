import { scheduleContract } from '../contract/schedule.contract'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'

describeOnRedis('schedules', () => {
  const { ground } = redisApp()
  scheduleContract(ground)
})
