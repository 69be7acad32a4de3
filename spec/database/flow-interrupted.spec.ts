import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { interruptedFlowContract } from '../contract/flow-interrupted.contract'
import { describeEachDatabase } from '../support/databases'
import { EntityGround } from '../support/entity-ground'
import { catchLog } from '../support/tasks'

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })

  interruptedFlowContract(new EntityGround(() => dataSource))
})
