import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { taskEntities } from '#entities'
import { closeServed, serve } from '../support/dashboard'
import { describeEachDatabase } from '../support/databases'
import type { Server } from '../support/servers/server'
import { startServer } from '../support/servers/start'
import { catchLog } from '../support/tasks'
import { until } from './kit/until'

describeEachDatabase(
  ({ name }) => {
    let server: Server
    let dataSource: DataSource
    beforeAll(async () => {
      catchLog()
      server = await startServer(name)
      const options = { type: name, ...(await server.fresh()) } as DataSourceOptions
      dataSource = await new DataSource({
        ...options,
        entities: [...taskEntities],
        synchronize: true,
      }).initialize()
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    }, 60_000)
    afterAll(async () => {
      await closeServed()
      await dataSource.destroy()
      await server.stop()
    })

    it('F27 a dashboard says that its database cannot be reached, and goes on once it is back', async () => {
      const ask = await serve()
      const problem = async (): Promise<unknown> =>
        (await ask('overview')).body.backends[0].problem ?? null
      expect(await problem()).toBeNull()

      await server.kill()
      expect(await problem()).toMatchObject({
        message: expect.stringContaining(`The database (${name}) cannot be reached`),
        hint: expect.stringContaining('Is it running'),
      })
      expect(await ask('tasks')).toMatchObject({
        status: 503,
        body: { error: { message: expect.stringContaining('cannot be reached') } },
      })

      await server.restart()
      await until(
        async () => (await problem()) === null,
        20_000,
        () => 'the dashboard to show its queues',
      )
    }, 90_000)
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
