import type { DataSource } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { growthProblems, type Limits } from '#growth'
import { tableOf } from '#database/table'
import type { Problem } from '#lib/backend'
import { describeEachDatabase, isMySqlFamily } from '../support/databases'
import { addRows } from '../support/many-rows'

const never: Limits = {
  dead: Number.MAX_SAFE_INTEGER,
  history: Number.MAX_SAFE_INTEGER,
  rows: Number.MAX_SAFE_INTEGER,
  days: 30,
}

describeEachDatabase(({ name, connect }) => {
  const opened = (): Promise<DataSource> => connect({ entities: [DBTaskResult], synchronize: true })
  const problems = async (dataSource: DataSource, limits: Partial<Limits>): Promise<Problem[]> =>
    growthProblems(dataSource, await tableOf(dataSource), { ...never, ...limits })
  const analyze = (dataSource: DataSource): Promise<unknown> =>
    dataSource.query(
      {
        sqlite: 'ANALYZE',
        postgres: 'ANALYZE db_task_result',
        mariadb: 'ANALYZE TABLE db_task_result',
        mysql: 'ANALYZE TABLE db_task_result',
      }[name],
    )

  it('warns of many rows of which the oldest ended long ago', async () => {
    const dataSource = await opened()
    // The first ended an hour ago, the 1,000th ten days ago.
    await addRows(dataSource, name, { from: 1_000, count: 2_000, status: 'SUCCESSFUL' })
    await analyze(dataSource)

    const [problem, ...others] = await problems(dataSource, { rows: 1_000, days: 9 })
    expect(others).toEqual([])
    expect(problem).toEqual({
      level: 'warning',
      message: expect.stringMatching(
        /^The table "db_task_result" has about \d{4} rows, and the oldest ended more than 9 days ago: it seems that nobody prunes\.$/,
      ) as string,
      hint: 'Set OPTIONS.retention in TASKS, so that workers prune, or run `npx tasks prune_db_task_results` each day.',
    })
    expect(await problems(dataSource, { rows: 1_000, days: 11 })).toEqual([])
    expect(await problems(dataSource, { rows: 10_000, days: 9 })).toEqual([])
  })

  it('says nothing of rows that wait, however many', async () => {
    const dataSource = await opened()
    await addRows(dataSource, name, { from: 1, count: 2_000 })
    await analyze(dataSource)
    expect(await problems(dataSource, { rows: 1_000, days: 1 })).toEqual([])
  })

  if (name === 'postgres')
    describe('dead rows', () => {
      it('are warned of when there are more of them than of living ones, with what cleans them up', async () => {
        const dataSource = await opened()
        await dataSource.query('ALTER TABLE db_task_result SET (autovacuum_enabled = false)')
        await addRows(dataSource, name, { from: 1, count: 30_000, status: 'SUCCESSFUL' })
        await dataSource.query('UPDATE db_task_result SET claims = claims + 1')
        await dataSource.query('UPDATE db_task_result SET claims = claims + 1')

        const check = async (): Promise<Problem[]> =>
          new DatabaseBackend('default', { queues: [], options: { dataSource } }).check()
        const told = async (): Promise<Problem[]> => {
          await dataSource.query('SELECT pg_sleep(1.2)') // so long a session may keep what it has counted
          return check()
        }
        expect(await told()).toEqual([
          {
            level: 'warning',
            message:
              'The table "db_task_result" holds 60000 dead rows beside 30000 living ones, and was last vacuumed never: claims walk past the dead.',
            hint: 'Turn autovacuum on, for the server and for the table (ALTER TABLE "db_task_result" RESET (autovacuum_enabled)); until then run VACUUM "db_task_result".',
          },
        ])

        // Autovacuum, once it may, must not come before the look does.
        await dataSource.query(
          'ALTER TABLE db_task_result SET (autovacuum_enabled = true, autovacuum_vacuum_threshold = 2000000000)',
        )
        expect((await check())[0]!.hint).toBe(
          'Run VACUUM "db_task_result", and have autovacuum come sooner: ALTER TABLE "db_task_result" SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0).',
        )

        await dataSource.query('VACUUM db_task_result')
        expect(await told()).toEqual([])
      }, 60_000)

      it('name the transaction that keeps them', async () => {
        const dataSource = await opened()
        const holder = dataSource.createQueryRunner()
        await holder.startTransaction('REPEATABLE READ')
        const [{ pid }] = (await holder.query(
          'SELECT pg_backend_pid() AS pid, count(*) FROM db_task_result',
        )) as [{ pid: number }]
        await addRows(dataSource, name, { from: 1, count: 100, status: 'SUCCESSFUL' })
        await dataSource.query('UPDATE db_task_result SET claims = claims + 1')
        await dataSource.query('UPDATE db_task_result SET claims = claims + 1')
        await dataSource.query('SELECT pg_sleep(1.2)')

        // It is too young to be the cause.
        expect((await problems(dataSource, { dead: 100 }))[0]!.hint).toMatch(/^Run VACUUM/)
        const later = {
          query: (sql: string, values?: unknown[]) =>
            dataSource.query(sql.replaceAll("now() - INTERVAL '1 minute'", 'now()'), values),
        } as DataSource
        const [problem] = await growthProblems(later, await tableOf(dataSource), {
          ...never,
          dead: 100,
        })
        expect(problem!.hint).toMatch(
          new RegExp(
            String.raw`^They cannot go before the transaction of process ${pid} \(.+, idle in transaction\), open since \d{4}-\d\d-\d\d \d\d:\d\d UTC ends: end it, then run VACUUM "db_task_result"\.$`,
          ),
        )
        await holder.rollbackTransaction()
        await holder.release()
      }, 60_000)
    })

  if (isMySqlFamily(name))
    it('warns of changes that InnoDB keeps, and for whom', async () => {
      const dataSource = await opened()
      const holder = dataSource.createQueryRunner()
      await holder.query('START TRANSACTION WITH CONSISTENT SNAPSHOT')
      await addRows(dataSource, name, { from: 1, count: 10 })
      for (let i = 0; i < 20; i++)
        await dataSource.query('UPDATE db_task_result SET claims = claims + 1')

      expect(await problems(dataSource, { history: 20 })).toEqual([
        {
          level: 'warning',
          message: expect.stringMatching(
            /^InnoDB keeps \d+ changes that it has not cleaned up/,
          ) as string,
          hint: expect.stringMatching(
            /^They are kept for the oldest transaction, of connection \d+: end it \(KILL \d+\), if it has been open for long\.$/,
          ) as string,
        },
      ])
      await holder.query('ROLLBACK')
      await holder.release()
      expect(await problems(dataSource, {})).toEqual([])
    })
})
