// The row of a task is an ordinary row: read it with the repository.
import { DBTaskResult } from 'typeorm-tasks'
import { dataSource } from './ormconfig.js'

await dataSource.initialize()
const rows = await dataSource
  .getRepository(DBTaskResult)
  .findBy({ taskPath: 'tutorial.super_complicated_task' })
for (const { id, status, returnValue, startedAt, finishedAt } of rows)
  console.log(
    `${id} ${status} in ${finishedAt - startedAt} ms, returned ${JSON.stringify(returnValue)}`,
  )
await dataSource.destroy()
