import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import { DatabaseRows } from '../contract/database-rows'
import { claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'

describeEachDatabase(
  (database) => {
    // Rows of different partitions have the same address.
    it('a claim on a table of partitions takes no row that it has not locked, and in the end each once', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      for (const sql of [
        'ALTER TABLE db_task_result RENAME TO whole',
        'CREATE TABLE db_task_result (LIKE whole INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id)',
        ...[0, 1, 2].map(
          (part) =>
            `CREATE TABLE part_${part} PARTITION OF db_task_result FOR VALUES WITH (MODULUS 3, REMAINDER ${part})`,
        ),
      ])
        await dataSource.query(sql)
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      await new DatabaseRows(dataSource).addMany(60)
      const store = await backends.get('default').openStore({})

      const keys: string[] = []
      for (let claims = 0; keys.length < 60 && claims < 60; claims++) {
        const { claimed } = await store.exchange([], 10, claimFilter())
        expect(claimed.length).toBeLessThanOrEqual(10)
        keys.push(...claimed.map(({ key }) => key))
        const running = await dataSource.getRepository(DBTaskResult).countBy({ status: 'RUNNING' })
        expect(running).toBe(keys.length)
      }
      await store.close()

      expect(new Set(keys).size).toBe(60)
    })

    // Of a view no row has an address, as on databases that speak PostgreSQL's language and store rows in another way.
    it('where rows have no addresses they are claimed by their ids', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      await dataSource.query('ALTER TABLE db_task_result RENAME TO whole')
      await dataSource.query('CREATE VIEW db_task_result AS SELECT * FROM whole')
      await dataSource.query('ALTER VIEW db_task_result ALTER COLUMN claims SET DEFAULT 0')
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      await new DatabaseRows(dataSource).addMany(20)
      const store = await backends.get('default').openStore({})

      const { claimed } = await store.exchange([], 20, claimFilter())
      const { answers } = await store.exchange(
        claimed.map(({ key, claims }) => ({
          key,
          claims,
          status: 'SUCCESSFUL',
          returnValue: null,
        })),
        20,
        claimFilter(),
      )
      await store.close()

      expect(claimed).toHaveLength(20)
      expect(answers).toEqual(claimed.map(() => 'kept'))
    })
  },
  { only: ['postgres'] },
)
