import { Cluster } from 'ioredis'
import { configureTasks, group } from 'typeorm-tasks'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '#backend-registry'
import { runUntilEmpty } from '#start-worker'
import { backendContract, type BackendPlace } from '../contract/backend.contract'
import { flowContract } from '../contract/flow.contract'
import { keysContract } from '../contract/keys.contract'
import { lastTwoContract } from '../contract/last-two.contract'
import { redisStoreContract } from '../contract/redis-store.contract'
import { scheduleContract } from '../contract/schedule.contract'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'
import { type RedisCluster, startRedisCluster } from '../support/servers/redis'
import { add } from '../support/tasks'

describeOnRedis('a Redis Cluster of three nodes', () => {
  let cluster: RedisCluster
  let client: Cluster

  beforeAll(async () => {
    cluster = await startRedisCluster({ appendonly: true })
    client = new Cluster([...cluster.nodes])
  })
  afterAll(async () => {
    client.disconnect()
    await cluster.stop()
  })

  describe('has what backends promise', () => {
    afterEach(async () => {
      await backends.get('default').close()
      await Promise.all(client.nodes('master').map((node) => node.flushall()))
    })

    const place: BackendPlace = {
      BACKEND: BullMQBackend,
      options: () => ({ connection: { cluster: { nodes: cluster.nodes } }, prefix: '{contract}' }),
      runs: 'later',
      work: () => runUntilEmpty({ queues: '*' }),
      namesQueues: true,
    }
    backendContract(place)
    describe('keys', () => keysContract(place))

    it('takes a flow of more tasks than one transaction writes', async () => {
      configureTasks({
        default: {
          BACKEND: BullMQBackend,
          QUEUES: ['default'],
          OPTIONS: { connection: { cluster: { nodes: cluster.nodes } }, prefix: '{large}' },
        },
      })
      const orders = Array.from({ length: 2_100 }, (_, i) => add.order(i))
      const { last } = await group(orders)
        .next(() => add.order(1))
        .enqueue()
      expect(await client.llen('{large}:default:wait')).toBe(2_100)
      await runUntilEmpty({ queues: '*' })
      expect((await last.refresh()).status).toBe('SUCCESSFUL')
    })
  })

  describe('has flows and schedules', () => {
    const { ground } = redisApp({
      place: { connection: () => ({ cluster: { nodes: cluster.nodes } }), prefix: '{flows}' },
    })
    flowContract(ground)
    lastTwoContract(20, ground)
    scheduleContract(ground)
  })

  describe('has what stores promise', () => {
    redisStoreContract(() => ({ cluster: { nodes: cluster.nodes } }), '{contract}')
  })
})
