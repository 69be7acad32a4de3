import type { DataSource, Logger } from 'typeorm'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { remoteTask } from '#define'
import { DBTaskResult } from '#entities'
import { configureTasks } from '#configure'
import type { ClaimedRow, Outcome, Store } from '#lib/store'
import { rescue, claimFilter } from '../contract/rows'
import { describeEachDatabase, isMySqlFamily, type SpecDatabase } from '../support/databases'
import { explain, planLines } from '../support/explain'
import { addRows, type DatabaseName } from '../support/many-rows'
import { typeormVersion } from '../support/typeorm'

/** Rows of each kind. A planner that finds so many look-ups too dear for a small table may like them in a large one. */
const SIZES = [100_000, 10_000]
/** More than it takes to make a planner prefer the whole table to so many look-ups. */
const BATCH = 400

// The plans are the database's affair, whatever TypeORM carries the statement there.
const once = typeormVersion.startsWith('0.3') ? describe.skip : describe

interface Asked {
  readonly sql: string
  readonly parameters: unknown[]
}

interface Place {
  readonly dataSource: DataSource
  readonly backend: DatabaseBackend
  readonly store: Store
  readonly asked: Asked[]
}

/** What a worker and its app ask, each after what makes it worth asking. */
const STATEMENTS: Readonly<Record<string, (place: Place) => Promise<unknown>>> = {
  'a claim': async (place) => {
    const claimed = await claim(place, BATCH)
    return finish(place, claimed)
  },
  'an exchange': async (place) => {
    const claimed = await claim(place, BATCH)
    place.asked.splice(0)
    const next = await place.store.exchange(claimed.map(success), BATCH, claimFilter())
    expect([next.claimed.length, next.answers.every((answer) => answer === 'kept')]).toEqual([
      BATCH,
      true,
    ])
    const asked = place.asked.splice(0)
    await finish(place, next.claimed)
    place.asked.splice(0, Infinity, ...asked)
  },
  'an exchange of a few': async (place) => {
    const claimed = await claim(place, 10)
    place.asked.splice(0)
    const next = await place.store.exchange(
      claimed.map(success),
      10,
      claimFilter({ queues: ['default', 'mail'] }),
    )
    const asked = place.asked.splice(0)
    await finish(place, next.claimed)
    place.asked.splice(0, Infinity, ...asked)
  },
  'handing in': async (place) => {
    const claimed = await claim(place, BATCH)
    place.asked.splice(0)
    await finish(place, claimed)
  },
  'a renewal': async (place) => {
    const claimed = await claim(place, BATCH)
    place.asked.splice(0)
    expect((await place.store.renew(claimed)).lost).toEqual([])
    const asked = place.asked.splice(0)
    await finish(place, claimed)
    place.asked.splice(0, Infinity, ...asked)
  },
  'giving back': async (place) => {
    const claimed = await claim(place, BATCH)
    place.asked.splice(0)
    expect(await place.store.release(claimed)).toBe(BATCH)
  },
  'taking over': async (place) => {
    const claimed = await claim(place, 100)
    await place.dataSource.getRepository(DBTaskResult).update(
      claimed.map(({ values }) => values.id),
      { leaseUntil: new Date('2026-01-01') },
    )
    place.asked.splice(0)
    expect((await rescue(place.store)).released).toHaveLength(100)
  },
  cancelling: async (place) => {
    const [row] = await claim(place, 1)
    const waiting = await remoteTask<[]>('spec.add').enqueue()
    const running = await place.backend.getResult(row!.values.id)
    place.asked.splice(0)
    await place.backend.cancel(waiting)
    await place.backend.cancel(running)
    const asked = place.asked.splice(0)
    await finish(place, [row!])
    place.asked.splice(0, Infinity, ...asked)
  },
}

for (const many of SIZES)
  once(`beside ${many} rows that wait, as many that ended and ${many / 5} for tomorrow,`, () => {
    describeEachDatabase(({ name, connect }) => {
      let place: Place

      beforeAll(async () => (place = await open(connect, name, many)), 120_000)
      afterAll(() => place.store.close())

      // First as right after a burst, when the database has no statistics of it yet.
      for (const state of ['never analysed', 'analysed'] as const)
        describe(state, () => {
          beforeAll(async () => {
            if (state === 'analysed')
              await place.dataSource.query(
                {
                  sqlite: 'ANALYZE',
                  postgres: 'ANALYZE db_task_result',
                  mariadb: 'ANALYZE TABLE db_task_result',
                  mysql: 'ANALYZE TABLE db_task_result',
                }[name],
              )
          }, 60_000)

          it.each(Object.keys(STATEMENTS))(
            '%s looks up what it needs, and no more',
            async (what) => {
              place.asked.splice(0)
              await STATEMENTS[what]!(place)
              const asked = place.asked
                .splice(0)
                .filter(
                  ({ sql }) =>
                    /^\s*(SELECT|UPDATE|DELETE|WITH)\b/.test(sql) && !isLookForLost(name, sql),
                )

              expect(asked.length).toBeGreaterThan(0)
              const plans = await plansOf(place.dataSource, name, asked)
              expect(
                plans
                  .filter(({ lines }) => lines.some((line) => WASTEFUL[name].test(line)))
                  .map(({ how, sql, lines }) => `${how} ${sql}\n${lines.join('\n')}`),
              ).toEqual([])
            },
            60_000,
          )
        })

      it('a prune walks by the primary key, a part of the table after the other, and takes what it is to take', async () => {
        place.asked.splice(0)
        const query = {
          queues: ['default'],
          minAge: 10 * 86_400_000,
          failedMinAge: 10 * 86_400_000,
          tasks: [{ name: 'spec.elsewhere', minAge: 86_400_000 }],
        }
        const old = await place.store.prune({ ...query, dryRun: true })
        expect(old).toBeGreaterThan(500)
        place.asked.splice(0)
        expect(await place.store.prune({ ...query, dryRun: false })).toBe(old)

        const asked = place.asked.splice(0)
        const looks = asked.filter(
          ({ sql }) =>
            /^SELECT .*ORDER BY (t\.)?id LIMIT \S+( |$)/s.test(sql) && !/OFFSET/.test(sql),
        )
        const walks = asked.filter(({ sql }) => /OFFSET/.test(sql))
        const deletes = asked.filter(({ sql }) => sql.startsWith('DELETE'))
        // No look is without an end, but the last.
        expect(looks.filter(({ sql }) => !/id <= /.test(sql)).length).toBe(1)
        expect([walks.length, deletes.length]).toEqual([
          Math.floor((2.2 * many) / 20_000) + 1,
          expect.any(Number),
        ])
        const one = (all: Asked[]): Asked[] =>
          all.filter(({ sql }) => /id > |DELETE/.test(sql)).slice(0, 1)
        const plans = await plansOf(place.dataSource, name, [
          ...one(looks),
          ...one(walks),
          ...one(deletes),
        ])
        // What one part of the table holds may well be sorted.
        const wasteful = name === 'postgres' ? /Seq Scan|Hash|Merge|Materialize/ : WASTEFUL[name]
        expect(
          plans
            .filter(({ lines }) => lines.some((line) => wasteful.test(line)))
            .map(({ how, sql, lines }) => `${how} ${sql}\n${lines.join('\n')}`),
        ).toEqual([])
      }, 120_000)
    })
  })

/** What runs is in no index where the index is partial: the look for lost rows, one for each worker in ten seconds, reads the table. */
function isLookForLost(name: DatabaseName, sql: string): boolean {
  return !isMySqlFamily(name) && /^\s*SELECT .* AND (t\.)?lease_until < .* LIMIT/s.test(sql)
}

async function claim({ store }: Place, room: number): Promise<readonly ClaimedRow[]> {
  const { claimed } = await store.exchange([], room, claimFilter())
  expect(claimed).toHaveLength(room)
  return claimed
}

async function finish({ store }: Place, rows: readonly ClaimedRow[]): Promise<void> {
  if (rows.length > 0) await store.exchange(rows.map(success), 0, claimFilter())
}

function success({ key, claims }: ClaimedRow): Outcome {
  return { key, claims, status: 'SUCCESSFUL', returnValue: null }
}

/** A sort, a scan of the table or of a whole index, or a walk over all rows of one status. */
const WASTEFUL = {
  sqlite: /SCAN (?!(v|json_each) VIRTUAL TABLE)|TEMP B-TREE|\(status=\?\)/,
  postgres: /Sort|Seq Scan|Hash|Merge|Bitmap|Materialize/,
  mariadb: /filesort|temporary|DEPENDENT|"type":"(index|ALL)"(?!.*Table function)/,
  // It says of every JSON_TABLE that it is a temporary table.
  mysql:
    /filesort|(?<!json_table; Using )temporary|DEPENDENT|"type":"(index|ALL)"(?!.*Table function)/,
}

interface Plan {
  readonly how: string
  readonly sql: string
  readonly lines: readonly string[]
}

async function plansOf(
  dataSource: DataSource,
  name: DatabaseName,
  asked: readonly Asked[],
): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const { sql, parameters } of asked) {
    plans.push({ how: 'as asked:', sql, lines: await explain(dataSource, name, sql, parameters) })
    // A worker's statements have names: after some runs PostgreSQL keeps one plan for whatever values.
    if (name === 'postgres')
      plans.push({
        how: 'prepared, for any values:',
        sql,
        lines: await genericPlan(dataSource, sql, parameters),
      })
  }
  return plans
}

async function genericPlan(
  dataSource: DataSource,
  sql: string,
  parameters: readonly unknown[],
): Promise<string[]> {
  const runner = dataSource.createQueryRunner()
  try {
    await runner.query('SET plan_cache_mode = force_generic_plan')
    await runner.query(`PREPARE looked_at AS ${sql}`)
    return planLines(
      await runner.query(
        `EXPLAIN EXECUTE looked_at${parameters.length > 0 ? `(${parameters.map(literal).join(', ')})` : ''}`,
      ),
    )
  } finally {
    await runner.query('DEALLOCATE ALL')
    await runner.query('RESET plan_cache_mode')
    await runner.release()
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  const text = Array.isArray(value)
    ? `{${value.map((each) => (each === null ? 'NULL' : JSON.stringify(String(each)))).join(',')}}`
    : String(value as string | number)
  return `'${text.replaceAll("'", "''")}'`
}

async function open(
  connect: SpecDatabase['connect'],
  name: DatabaseName,
  many: number,
): Promise<Place> {
  const asked: Asked[] = []
  const ignore = (): void => {}
  const logger: Logger = {
    logQuery: (sql, parameters) =>
      void asked.push({ sql, parameters: Array.isArray(parameters) ? parameters : [] }),
    logQueryError: ignore,
    logQuerySlow: ignore,
    logSchemaBuild: ignore,
    logMigration: ignore,
    log: ignore,
  }
  const dataSource = await connect({
    entities: [DBTaskResult],
    synchronize: true,
    ...({ logger } as object),
  })
  const later = {
    sqlite: '',
    postgres: 'ALTER TABLE db_task_result SET (autovacuum_enabled = false)',
    mariadb: 'ALTER TABLE db_task_result STATS_AUTO_RECALC = 0',
    mysql: 'ALTER TABLE db_task_result STATS_AUTO_RECALC = 0',
  }[name]
  if (later !== '') await dataSource.query(later)
  await addRows(dataSource, name, { from: 1, count: many, status: 'SUCCESSFUL' })
  await addRows(dataSource, name, { from: many + 1, count: many })
  await addRows(dataSource, name, { from: 2 * many + 1, count: many / 10, runAfter: 'tomorrow' })
  await addRows(dataSource, name, {
    from: 2.1 * many + 1,
    count: many / 10,
    runAfter: 'tomorrow',
    priority: 5,
  })
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  const backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
  return { dataSource, backend, store: await backend.openStore({}), asked }
}
