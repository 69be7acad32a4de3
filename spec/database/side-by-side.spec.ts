import { type DataSource, In } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import type { ClaimedRow, Outcome, Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { wishes } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'

/** Enough that PostgreSQL finishes and claims on two connections at a time; see SIDE_BY_SIDE_FROM of its dialect. */
const MANY = 150

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let store: Store
    let first: readonly ClaimedRow[]

    beforeEach(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
      store = await backends.get('default').openStore({})
      await new DatabaseRows(dataSource).addMany(2 * MANY)
      first = (await store.exchange([], MANY, wishes())).claimed
    })
    afterEach(async () => await store.close())

    it('many outcomes are stored and as many rows claimed, each once', async () => {
      const { kept, claimed } = await store.exchange(successes(first), MANY, wishes())

      expect(kept).toEqual(first.map(() => true))
      expect(new Set([...first, ...claimed].map(({ key }) => key)).size).toBe(2 * MANY)
      expect(await statuses(first)).toEqual(['SUCCESSFUL'])
      expect(await statuses(claimed)).toEqual(['RUNNING'])
    })

    it('what was claimed is given back when the outcomes cannot be stored', async () => {
      await forbid('SUCCESSFUL')

      await expect(store.exchange(successes(first), MANY, wishes())).rejects.toThrow(
        'SUCCESSFUL is forbidden',
      )

      expect(await statuses(first)).toEqual(['RUNNING'])
      const others = await dataSource.getRepository(DBTaskResult).findBy({ status: 'READY' })
      expect(others.map(({ claims, workerIds }) => [claims, workerIds.length])).toEqual(
        others.map(() => [1, 0]),
      )
      expect(others).toHaveLength(MANY)
    })

    it('outcomes that were stored while nothing could be claimed are handed in again without harm', async () => {
      await forbid('RUNNING')
      await expect(store.exchange(successes(first), MANY, wishes())).rejects.toThrow(
        'RUNNING is forbidden',
      )
      await dataSource.query('DROP TRIGGER forbidden ON db_task_result')

      const { kept } = await store.exchange(successes(first), MANY, wishes())

      expect(kept).toEqual(first.map(() => true))
      expect(await statuses(first)).toEqual(['SUCCESSFUL'])
    })

    /** From now on no row takes this status. */
    async function forbid(status: string): Promise<void> {
      await dataSource.query(
        `CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is forbidden', NEW.status; END $$`,
      )
      await dataSource.query(
        `CREATE TRIGGER forbidden BEFORE UPDATE ON db_task_result FOR EACH ROW WHEN (NEW.status = '${status}') EXECUTE FUNCTION forbid()`,
      )
    }

    async function statuses(rows: readonly ClaimedRow[]): Promise<string[]> {
      const found = await dataSource
        .getRepository(DBTaskResult)
        .findBy({ id: In(rows.map(({ values }) => values.id)) })
      return [...new Set(found.map(({ status }) => status))]
    }
  },
  { only: ['postgres'] },
)

function successes(rows: readonly ClaimedRow[]): Outcome[] {
  return rows.map(({ key, claims }) => ({ key, claims, status: 'SUCCESSFUL', returnValue: null }))
}
