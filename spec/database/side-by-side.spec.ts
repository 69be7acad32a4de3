import { type DataSource, In } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import type { ClaimedRow, Outcome, Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'

/** As many as a busy worker hands in and claims at a time. */
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
      first = (await store.exchange([], MANY, claimFilter())).claimed
    })
    afterEach(async () => await store.close())

    it('many outcomes are stored and as many rows claimed, each once', async () => {
      const { answers, claimed } = await store.exchange(successes(first), MANY, claimFilter())

      expect(answers).toEqual(first.map(() => 'kept'))
      expect(new Set([...first, ...claimed].map(({ key }) => key)).size).toBe(2 * MANY)
      expect(await statuses(first)).toEqual(['SUCCESSFUL'])
      expect(await statuses(claimed)).toEqual(['RUNNING'])
    })

    it('what was claimed is run when outcomes are refused, and those are FAILED', async () => {
      await forbid('SUCCESSFUL')

      const { answers, claimed } = await store.exchange(successes(first), MANY, claimFilter())

      expect(answers).toEqual(
        first.map(({ key, claims }) => ({
          key,
          claims,
          status: 'FAILED',
          error: {
            exceptionClassPath: 'typeorm_tasks.OutcomeRefused',
            traceback: expect.stringContaining('SUCCESSFUL is forbidden') as string,
          },
        })),
      )
      expect(await statuses(first)).toEqual(['FAILED'])
      expect(claimed).toHaveLength(MANY)
      expect(await statuses(claimed)).toEqual(['RUNNING'])
    })

    it('outcomes are stored, and the error is told, while nothing can be claimed', async () => {
      await forbid('RUNNING')

      const { answers, claimed, failure } = await store.exchange(
        successes(first),
        MANY,
        claimFilter(),
      )

      expect(answers).toEqual(first.map(() => 'kept'))
      expect([claimed, String(failure)]).toEqual([
        [],
        expect.stringContaining('RUNNING is forbidden'),
      ])
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
