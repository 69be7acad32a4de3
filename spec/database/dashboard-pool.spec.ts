import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, schedule, task, taskEntities } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { schedules } from '../../lib/schedules/registry'
import { describeEachDatabase } from '../support/databases'
import { closeServed, serve } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const fine = task('pool.fine', (value: number) => value)

describeEachDatabase(
  ({ connect }) => {
    let app: DataSource

    beforeAll(async () => {
      catchLog()
      const { options } = await connect({ entities: [...taskEntities], synchronize: true })
      const one = { poolSize: 1, extra: { connectionLimit: 1 } }
      app = await new DataSource({
        ...options,
        ...one,
        synchronize: false,
      } as DataSourceOptions).initialize()
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource: app } } })
    })
    afterEach(closeServed)
    afterAll(async () => {
      schedules.clear()
      await app.destroy()
    })

    it('reads while the app has none of its connections to spare', async () => {
      const { id } = await fine.enqueue(1)
      schedule('pool.nightly', fine, { cron: '0 2 * * *', args: [1] })
      const ask = await serve({ authorize: () => 'all' })
      await ask('tasks')
      const runner = app.createQueryRunner()
      await runner.connect()
      try {
        for (const path of ['overview', 'tasks', `tasks/${id}`, 'history', 'workers', 'schedules'])
          expect([path, (await ask(path)).status]).toEqual([path, 200])
      } finally {
        await runner.release()
      }
    }, 30_000)
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
