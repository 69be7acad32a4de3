import type { DataSource } from 'typeorm'
import type { Claim, Dialect } from '#dialects/dialect'
import type { FinishRow } from '#row'
import { MySql } from '#mysql/dialect'
import { Session } from '#session'
import { DBTaskResult } from '#entities'
import { describeEachDatabase } from '../support/databases'
import { explain } from '../support/explain'

const SHARED = {
  priority: 0,
  task_path: 'spec.add',
  queue_name: 'default',
  backend_name: 'default',
  run_after: '9999-01-01 00:00:00',
  unique_key: null,
  options: null,
}
const CLAIM: Claim = {
  limit: 10,
  filter: { queues: null, excludeQueues: [] },
  workerId: 'w-1',
  backendName: 'default',
  leaseSeconds: 30,
}

async function statusesIn(dataSource: DataSource): Promise<Record<string, number>> {
  const rows = await dataSource.query<{ status: string; n: string }[]>(
    'SELECT status, COUNT(*) AS n FROM db_task_result GROUP BY status',
  )
  return Object.fromEntries(rows.map(({ status, n }) => [status, Number(n)]))
}

/** MySQL and MariaDB 10.6 have no uuid; a table of Django's has the collation of its database. */
describeEachDatabase(
  (database) =>
    describe('with ids as text', () => {
      for (const collation of ['ascii_bin', 'utf8mb4_general_ci', 'latin1_swedish_ci']) {
        describe(`in ${collation}`, () => {
          let dataSource: DataSource
          let session: Session
          let dialect: Dialect
          let asked: { sql: string; parameters: unknown[] }[]

          beforeAll(async () => {
            const ignore = (): void => {}
            const logger = {
              logQuery: (sql: string, parameters?: unknown[]) =>
                void asked.push({ sql, parameters: parameters ?? [] }),
              logQueryError: ignore,
              logQuerySlow: ignore,
              logSchemaBuild: ignore,
              logMigration: ignore,
              log: ignore,
            }
            asked = []
            dataSource = await database.connect({
              entities: [DBTaskResult],
              synchronize: true,
              ...({ logger } as object),
            })
            await dataSource.query(
              `ALTER TABLE db_task_result MODIFY id char(32) CHARACTER SET ${collation.split('_')[0]} COLLATE ${collation} NOT NULL`,
            )
            session = new Session(dataSource)
            dialect = new MySql({
              type: 'mysql',
              path: '`db_task_result`',
              name: 'db_task_result',
              hexIds: true,
              isMariaDb: false,
            })
          })
          beforeEach(async () => {
            await dataSource.query('DELETE FROM db_task_result')
            const calls = Array.from({ length: 40 }, (_, i) => ({
              row_key: i.toString(16).padStart(32, 'a'),
              args_kwargs: '{"args": [], "kwargs": {}}',
            }))
            await dialect.insert(
              session,
              { shared: SHARED, calls },
              { unlessTaken: false, delay: null, idsAreNew: true, notify: false },
            )
            asked = []
          })

          it('finishes what came to the same, and what did not, by the primary key', async () => {
            const rows = await dialect.claim(session, CLAIM)
            const [alike, others] = [
              rows.slice(0, 5).map((row) => outcome(row.row_key, null)),
              rows.slice(5).map((row, i) => outcome(row.row_key, String(i))),
            ]

            expect(await dialect.finish(session, alike)).toEqual(
              new Set(alike.map((row) => row.row_key)),
            )
            expect(await dialect.finish(session, others)).toEqual(
              new Set(others.map((row) => row.row_key)),
            )
            expect(await dialect.finish(session, others)).toEqual(
              new Set(others.map((row) => row.row_key)),
            )

            expect(await statusesIn(dataSource)).toEqual({
              READY: 30,
              SUCCESSFUL: 10,
            })
            expect((await dialect.byId(session, others[2]!.row_key))?.return_value).toBe('2')
            await expectLookUps()
          })

          it('finishes those of one outcome by a list, and claims others', async () => {
            const rows = (await dialect.claim(session, CLAIM)).map(({ row_key }) =>
              outcome(row_key, null),
            )

            expect((await dialect.finish(session, rows)).size).toBe(10)
            const claimed = await dialect.claim(session, CLAIM)

            expect(
              claimed.map(({ row_key, claims, worker_ids }) => [
                rows.some((row) => row.row_key === row_key),
                Number(claims),
                worker_ids,
              ]),
            ).toEqual(Array(10).fill([false, 1, '["w-1"]']))
          })

          it('renews, gives back and takes over', async () => {
            const held = (await dialect.claim(session, CLAIM)).map(({ row_key }) => ({
              row_key,
              claims: 1,
            }))

            expect((await dialect.renew(session, held, 30)).size).toBe(10)
            expect((await dialect.release(session, held.slice(0, 4))).released).toBe(4)
            await dataSource.query(
              "UPDATE db_task_result SET lease_until = '2020-01-01' WHERE status = 'RUNNING'",
            )
            expect(
              (
                await dialect.takeOver(
                  session,
                  held.map(({ row_key }) => ({
                    ...outcome(row_key, null),
                    status: 'READY',
                    attempt_errors: '[]',
                  })),
                )
              ).size,
            ).toBe(6)
            expect(await statusesIn(dataSource)).toEqual({ READY: 40 })
            await expectLookUps()
          })

          async function expectLookUps(): Promise<void> {
            for (const { sql, parameters } of asked.filter((each) =>
              each.sql.startsWith('UPDATE `db_task_result` t JOIN'),
            )) {
              const plan = (await explain(dataSource, database.name, sql, parameters)).map(
                (line) => JSON.parse(line) as { table: string; type: string; key: string | null },
              )
              expect(plan.map(({ table, type, key }) => [table, type, key])).toEqual([
                ['v', 'ALL', null],
                ['t', 'eq_ref', 'PRIMARY'],
              ])
            }
          }
        })
      }
    }),
  { only: ['mariadb', 'mysql'] },
)

function outcome(row_key: string, returnValue: string | null): FinishRow {
  return {
    row_key,
    claims: 1,
    status: 'SUCCESSFUL',
    return_value: returnValue,
    exception_class_path: '',
    traceback: '',
    attempt_errors: null,
    progress: null,
    delay: null,
  }
}
