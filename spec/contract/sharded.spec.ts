import type { DataSource } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { ShardedBackend, type ShardedOptions } from 'typeorm-tasks/backends/sharded'
import { runUntilEmpty } from '#start-worker'
import { backendContract } from './backend.contract'
import { describeEachDatabase } from '../support/databases'

/** As its users write it: calls with one unique key are on one shard, others anywhere. */
const by: ShardedOptions['by'] = ({ name, args, key }) => key ?? JSON.stringify([name, args])

describe('ShardedBackend', () => {
  describeEachDatabase((database) => {
    let dataSources: DataSource[]

    beforeAll(async () => {
      const connect = (): Promise<DataSource> =>
        database.connect({ entities: [DBTaskResult], synchronize: true })
      dataSources = [await connect(), await connect()]
    })
    afterEach(async () => {
      for (const each of dataSources) await each.getRepository(DBTaskResult).clear()
    })

    const shards = (): Record<string, { BACKEND: string; QUEUES: []; OPTIONS: object }> =>
      Object.fromEntries(
        dataSources.map((dataSource, i) => [
          `db${i + 1}`,
          {
            BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
            QUEUES: [],
            OPTIONS: { dataSource },
          },
        ]),
      )

    backendContract({
      BACKEND: ShardedBackend,
      options: () => ({ by, over: ['db1', 'db2'] }),
      runs: 'later',
      work: async () => {
        for (const backend of ['db1', 'db2']) await runUntilEmpty({ backend, queues: '*' })
      },
      shards,
    })
  })
})
