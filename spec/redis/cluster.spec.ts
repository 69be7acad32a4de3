import { Cluster } from 'ioredis'
import { BullMQBackend } from '../../backends/bullmq'
import { backends } from '#backend-registry'
import { runUntilEmpty } from '#start-worker'
import { backendContract } from '../contract/backend.contract'
import { describeOnRedis } from '../support/redis'
import { type RedisCluster, startRedisCluster } from '../support/servers/redis'

describeOnRedis('BullMQBackend on a Redis Cluster of three nodes', () => {
  let cluster: RedisCluster
  let client: Cluster

  beforeAll(async () => {
    cluster = await startRedisCluster({ appendonly: true })
    client = new Cluster([...cluster.nodes])
  })
  afterEach(async () => {
    await backends.get('default').close()
    await Promise.all(client.nodes('master').map((node) => node.flushall()))
  })
  afterAll(async () => {
    client.disconnect()
    await cluster.stop()
  })

  backendContract({
    BACKEND: BullMQBackend,
    options: () => ({ connection: { cluster: { nodes: cluster.nodes } }, prefix: '{contract}' }),
    runs: 'later',
    work: () => runUntilEmpty({ queues: '*' }),
    namesQueues: true,
  })
})
