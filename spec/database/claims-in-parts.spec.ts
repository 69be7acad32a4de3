import type { DataSource, Logger } from 'typeorm'
import { configureTasks, DBTaskResult, remoteTask } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import type { Outcome, Store } from '#lib/store'
import { dashed } from '#formats'
import { DatabaseRows } from '../contract/database-rows'
import { claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'

// Elsewhere a claim is one statement.
describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let rows: DatabaseRows
    let store: Store
    const asked: string[] = []

    beforeEach(async () => {
      const ignore = (): void => {}
      const logger: Logger = {
        logQuery: (sql) => void asked.push(sql.trim()),
        logQueryError: ignore,
        logQuerySlow: ignore,
        logSchemaBuild: ignore,
        logMigration: ignore,
        log: ignore,
      }
      dataSource = await database.connect({
        entities: [DBTaskResult],
        synchronize: true,
        ...({ logger } as object),
      })
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      store = await backends.get('default').openStore({})
      rows = new DatabaseRows(dataSource)
    })
    afterEach(async () => await store.close())

    const past = (): Date => new Date(Date.now() - 60_000)
    const success = ({ key, claims }: { key: string; claims: number }): Outcome => ({
      key,
      claims,
      status: 'SUCCESSFUL',
      returnValue: null,
    })

    it('each transaction scans one range and does nothing else: workers that pass by each other would be taken for deadlocked', async () => {
      const ids = await rows.add(
        { priority: 5, runAfter: past() },
        { priority: 5 },
        { runAfter: past() },
        {},
      )
      const [last] = (await store.exchange([], 1, claimFilter())).claimed.map(success)
      asked.splice(0)

      const { claimed } = await store.exchange([last!], 10, claimFilter())

      expect(claimed.map(({ values }) => values.id)).toEqual(ids.slice(1))
      const transactions = asked
        .join('\n')
        .split('START TRANSACTION')
        .slice(1)
        .map((text) => text.split('COMMIT')[0] ?? '')
      expect(transactions.map((text) => text.split('SKIP LOCKED').length - 1)).toEqual([1, 1, 1])
      expect(transactions.filter((text) => text.includes('SUCCESSFUL'))).toEqual([])
      expect(await rows.get(ids[0]!)).toMatchObject({ status: 'SUCCESSFUL' })
    })

    it('rows of one enqueueMany follow each other by a microsecond, so that a claim begins at the first that waits', async () => {
      const results = await remoteTask<[number]>('spec.later').enqueueMany([[1], [2], [3]])

      const found = (await dataSource.query(
        'SELECT CAST(id AS CHAR) AS id, MICROSECOND(enqueued_at) AS at FROM db_task_result ORDER BY enqueued_at',
      )) as { id: string; at: number }[]

      expect(found.map(({ id }) => dashed(id))).toEqual(results.map(({ id }) => id))
      expect(found.map(({ at }) => (at - Number(found[0]?.at) + 1_000_000) % 1_000_000)).toEqual([
        0, 1, 2,
      ])
    })

    it('what has been claimed runs when a later part fails', async () => {
      const [due, refused] = await rows.add({ runAfter: past() }, { taskPath: 'spec.refused' })
      await dataSource.query(
        "CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result FOR EACH ROW IF NEW.task_path = 'spec.refused' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF",
      )

      const { claimed } = await store.exchange([], 10, claimFilter())

      expect(claimed.map(({ values }) => values.id)).toEqual([due])
      expect(await rows.get(refused!)).toMatchObject({ status: 'READY', claims: 0 })
      await expect(store.exchange([], 10, claimFilter())).rejects.toThrow('refused')
    })
  },
  { only: ['mariadb', 'mysql'] },
)
