import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { describeEachDatabase, isMySqlFamily } from '../support/databases'
import { catchLog, echo } from '../support/tasks'

/** Locks the table, finds who waits for it, and ends that connection. */
const SQL = {
  mysql: {
    lock: 'LOCK TABLES db_task_result WRITE',
    unlock: 'UNLOCK TABLES',
    waiting:
      "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE LIKE 'Waiting for table%' ORDER BY ID LIMIT 1",
    kill: (id: unknown) => `KILL ${Number(id)}`,
  },
  postgres: {
    lock: 'LOCK TABLE db_task_result',
    unlock: 'COMMIT',
    waiting:
      "SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1",
    kill: (id: unknown) => `SELECT pg_terminate_backend(${Number(id)})`,
  },
}

describeEachDatabase(
  (database) => {
    it('F34 a connection that is lost during the check at the start: the worker tries again', async () => {
      const sql = SQL[isMySqlFamily(database.name) ? 'mysql' : 'postgres']
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      const other = await new DataSource({
        ...dataSource.options,
        synchronize: false,
      } as DataSourceOptions).initialize()
      const log = catchLog()
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
      const result = await echo.enqueue(1)
      const locker = other.createQueryRunner()
      if (database.name === 'postgres') await locker.startTransaction()
      await locker.query(sql.lock)

      const starting = startWorker()
      starting.catch(() => {})
      await other.query(sql.kill(await waiting(other, sql.waiting)))
      await sleep(100)
      await locker.query(sql.unlock)
      await locker.release()

      const worker = await starting
      await result.wait({ timeout: 10_000 })
      await worker.stop()
      await other.destroy()
      expect(log).toContainEqual(['warn', expect.stringContaining('It is tried again.')])
    })
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)

async function waiting(dataSource: DataSource, sql: string): Promise<unknown> {
  for (;;) {
    const [found] = (await dataSource.query(sql)) as { id: unknown }[]
    if (found) return found.id
    await sleep(20)
  }
}
