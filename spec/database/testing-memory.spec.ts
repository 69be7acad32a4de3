import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, task } from 'typeorm-tasks'
import { testTasks } from 'typeorm-tasks/testing'

const child = task('memkit.child', () => 1)
const parent = task('memkit.parent', async () => void (await child.enqueue()))

it('a database in memory is drained, also in a transaction that is rolled back', async () => {
  const dataSource = await new DataSource({
    type: 'better-sqlite3',
    database: ':memory:',
    entities: [DBTaskResult],
    synchronize: true,
  }).initialize()
  const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
  configureTasks({ default: { BACKEND, OPTIONS: { dataSource } } })
  const tasks = testTasks({ mode: 'database' })

  await parent.enqueue()
  expect((await tasks.run()).runs).toBe(2)
  await dataSource
    .transaction(async (manager) => {
      await parent.using({ manager }).enqueue()
      expect((await tasks.drain({ manager })).runs).toBe(2)
      throw new Error('rolled back')
    })
    .catch(() => {})
  expect(await dataSource.getRepository(DBTaskResult).count()).toBe(2)
  await tasks.restore()
  await dataSource.destroy()
})
