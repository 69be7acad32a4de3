import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import { DatabaseRows } from '../contract/database-rows'
import { claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { blocksOf } from '../support/markdown'

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

    it('the page on scale makes partitions by time, and drops one without a task that has not finished', async () => {
      const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      const rows = new DatabaseRows(dataSource)
      const early = await rows.addMany(3)
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      const backend = backends.get('default')
      for (const { text } of blocksOf('docs/operations/scale.md').filter(isSql))
        await dataSource.query(text)
      const [{ part, since }] = await dataSource
        .query<{ part: string; since: string }[]>(
          `SELECT 'db_task_result_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24') AS part, task_id_at(hour)::text AS since
         FROM (SELECT date_trunc('hour', now(), 'UTC') + INTERVAL '2 hours' AS hour) AS later`,
        )
        .then(([first]) => [first!] as const)
      const [runs, waits, failed] = [1, 2, 3].map((n) => since.slice(0, -1) + n) as [
        string,
        string,
        string,
      ]
      await rows.add({ id: runs, priority: 9 }, { id: waits }, { id: failed, status: 'FAILED' })
      const store = await backend.openStore({})
      const { claimed } = await store.exchange([], 1, claimFilter())
      expect(claimed.map(({ key }) => key)).toEqual([runs])
      expect(await backend.list({ limit: 2, within: 2 })).toMatchObject([
        { id: failed },
        { id: waits },
      ])

      const dropped = await dataSource.query(`SELECT drop_task_partition('${part}') AS moved`)

      expect(dropped).toEqual([{ moved: '2' }])
      const { answers } = await store.exchange(
        claimed.map((held) => ({ ...held, status: 'SUCCESSFUL', returnValue: null })),
        0,
        claimFilter(),
      )
      expect(answers).toEqual(['kept'])
      const others: string[] = []
      for (let claims = 0; others.length < 4 && claims < 4; claims++)
        others.push(...(await store.exchange([], 4, claimFilter())).claimed.map(({ key }) => key))
      await store.close()
      expect(others.toSorted()).toEqual([...early, waits].toSorted())
      expect((await backend.list({ limit: 9 })).map(({ id }) => id)).toEqual([
        waits,
        runs,
        ...early.toReversed(),
      ])
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

function isSql({ language }: { readonly language: string }): boolean {
  return language === 'sql'
}
