import {
  DataSource,
  type DataSourceOptions,
  EventSubscriber,
  type Logger,
  QueryFailedError,
} from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { codeOf } from '#database-errors'
import { describeEachDatabase } from '../support/databases'
import { add } from '../support/tasks'

const heard: string[] = []

@EventSubscriber()
class Listener {
  afterQuery({ query }: { query: string }): void {
    heard.push(query)
  }
}

describeEachDatabase(
  (database) => {
    const id = '0190b6a0-1111-7abc-8000-000000000001'
    const refused: unknown[] = []
    const logger = {
      logQuery() {},
      logQueryError: (error: unknown) => void refused.push(error),
      logQuerySlow() {},
      logSchemaBuild() {},
      logMigration() {},
      log() {},
    } as Logger
    let dataSource: DataSource

    async function open(extra: object = {}, options: object = {}): Promise<void> {
      dataSource = new DataSource({
        ...(await database.fresh()),
        entities: [DBTaskResult],
        synchronize: true,
        logger,
        ...extra,
      } as DataSourceOptions)
      await dataSource.initialize()
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource, ...options } } })
    }
    afterEach(() => dataSource.destroy())

    const count = (): Promise<number> => dataSource.getRepository(DBTaskResult).count()

    it("whoever listens to TypeORM's queries hears those of tasks", async () => {
      await open({ subscribers: [Listener] })
      heard.length = 0

      await add.enqueue(1)
      await add.enqueueMany([[1], [2]])

      expect(heard.filter((sql) => sql.includes('INSERT INTO'))).toHaveLength(2)
    })

    it("what the database refuses is TypeORM's error, with the driver's in it, and in TypeORM's log", async () => {
      await open({}, { idFunction: () => id })
      await add.enqueue(1)

      const { cause } = (await add.enqueue(1).catch((error: unknown) => error)) as {
        cause: QueryFailedError
      }

      expect(cause).toBeInstanceOf(QueryFailedError)
      expect(codeOf(cause)).toMatch(/^(23505|SQLITE_CONSTRAINT_PRIMARYKEY|ER_DUP_ENTRY)$/)
      expect(refused).toHaveLength(1)
      expect(await count()).toBe(1)
    })

    it('a DataSource that is opened anew has statements anew', async () => {
      await open()
      await add.enqueue(1)
      await dataSource.destroy()
      await dataSource.initialize()
      await dataSource.synchronize()

      await add.enqueue(2)

      expect(await count()).toBeGreaterThan(0)
    })

    it('a table that has changed in between is read anew', async () => {
      await open()
      const { id: before } = await add.enqueue(1)
      await add.getResult(before)
      await dataSource.query('ALTER TABLE db_task_result ADD COLUMN more varchar(10)')

      const result = await add.enqueue(2)

      expect((await add.getResult(result.id)).args).toEqual([2])
    })

    it('what is enqueued beside an open transaction is in it all the same, since there is one connection', async () => {
      await open()
      const runner = dataSource.createQueryRunner()
      await runner.startTransaction()
      await add.enqueue(1)
      expect(await count()).toBe(1)

      await runner.rollbackTransaction()

      expect(await count()).toBe(0)
    })
  },
  { only: ['sqlite'] },
)
