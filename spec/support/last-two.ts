import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { lastTwoContract } from '../contract/last-two.contract'
import { describeEachDatabase } from './databases'
import { EntityGround } from './entity-ground'
import { catchLog } from './tasks'

/** The contract on each database, where it takes longer than all others. */
export function describeLastTwo(rounds: number): void {
  describeEachDatabase(({ connect }) => {
    let dataSource: DataSource

    beforeAll(async () => {
      catchLog()
      dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    })

    lastTwoContract(rounds, new EntityGround(() => dataSource))
  })
}
