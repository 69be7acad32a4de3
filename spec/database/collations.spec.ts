import { claim, rescue, claimFilter } from '../contract/rows'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  pruneResults,
  remoteTask,
  runUntilEmpty,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { backends } from '#backend-registry'
import { planMigration } from '#plan'
import { DJANGO_TABLE } from '../support/django-ddl'
import { describeEachDatabase, isMySqlFamily, type SpecDatabase } from '../support/databases'
import { djangosTable } from '../support/django-table'
import { catchLog } from '../support/tasks'

/** Collations that do not tell capitals from small letters, some not even accents. */
const BLIND: Record<SpecDatabase['name'], readonly string[]> = {
  sqlite: ['NOCASE'],
  postgres: ['blind'],
  mariadb: ['utf8mb4_general_ci', 'latin1_swedish_ci'],
  mysql: ['utf8mb4_0900_ai_ci', 'latin1_swedish_ci'],
}

/** Texts that are equal to a blind collation, and are not the same. */
const SPELLINGS = ['mail', 'Mail', 'MAIL']

const run = task('spec.run', async (text: string) => text)

describeEachDatabase((database) => {
  describe.each(BLIND[database.name])("on a table of Django's in %s", (collation) => {
    let dataSource: DataSource
    beforeAll(async () => {
      catchLog()
      dataSource = await djangosTable(database, { ordering: true })
      await makeBlind(dataSource, database, collation)
      configureTasks(
        Object.fromEntries(
          SPELLINGS.map((alias) => [
            alias,
            { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } },
          ]),
        ),
      )
    })
    afterEach(() => dataSource.query(`DELETE FROM ${DJANGO_TABLE}`))

    it('a worker takes the rows of its own queues, and no others', async () => {
      const results = await inEach((queueName) => run.using({ backend: 'mail', queueName }))

      await runUntilEmpty({ backend: 'mail', queues: ['mail'] })
      expect(await statuses(results)).toEqual(['SUCCESSFUL', 'READY', 'READY'])
      await runUntilEmpty({ backend: 'mail', queues: '*', excludeQueues: ['MAIL'] })
      expect(await statuses(results)).toEqual(['SUCCESSFUL', 'SUCCESSFUL', 'READY'])
    })

    it('a worker takes, takes over, counts and prunes the rows of its own alias, and no others', async () => {
      const results = await inEach((backend) => run.using({ backend }))

      await runUntilEmpty({ backend: 'mail' })
      expect(await statuses(results)).toEqual(['SUCCESSFUL', 'READY', 'READY'])
      expect(await backends.get('Mail').counts()).toMatchObject({ READY: 1, SUCCESSFUL: 0 })
      expect(await pruneResults({ backend: 'MAIL', minAge: 0 })).toBe(0)
      await dataSource.query(
        `UPDATE ${DJANGO_TABLE} SET status = 'RUNNING', claims = 1, lease_until = enqueued_at WHERE status = 'READY'`,
      )
      const store = await backends.get('Mail').openStore({})
      await rescue(store)
      await store.close()
      expect(await statuses(results)).toEqual(['SUCCESSFUL', 'READY', 'RUNNING'])
    })

    it('an age of a task is for the rows of exactly that task', async () => {
      await inEach((name) => remoteTask<[string]>(name, { backend: 'mail' }))
      await dataSource.query(
        `UPDATE ${DJANGO_TABLE} SET status = 'SUCCESSFUL', finished_at = enqueued_at`,
      )
      const store = await backends.get('mail').openStore({})
      const query = { queues: null, dryRun: false }

      expect(await store.prune({ ...query, tasks: [{ name: 'Mail', minAge: 0 }] })).toBe(1)
      expect(await store.prune({ ...query, minAge: 0, tasks: [{ name: 'MAIL' }] })).toBe(1)
      await store.close()
    })

    it('a list has the rows of the queue, the task and the alias that it asks for', async () => {
      const results = [
        ...(await inEach((backend) => run.using({ backend }))),
        ...(await inEach((queueName) => run.using({ backend: 'mail', queueName }))),
        ...(await inEach((name) => remoteTask<[string]>(name, { backend: 'mail' }))),
      ]
      const backend = backends.get('mail')
      const found = async (query: object) =>
        (await backend.list({ limit: 100, ...query })).map(({ id }) => id)

      expect(await found({ queues: ['Mail'] })).toEqual([results[4]!.id])
      expect(await found({ taskName: 'Mail' })).toEqual([results[7]!.id])
      expect(await found({})).toHaveLength(7)
      expect(await backend.counts({ queues: ['MAIL'] })).toMatchObject({ READY: 1 })
    })

    it('an outcome that is not taken, since its row is gone, is dropped', async () => {
      await inEach(() => run.using({ backend: 'mail' }))
      const store = await backends.get('mail').openStore({})
      const { claimed } = await claim(store, 3)
      await dataSource.query(`DELETE FROM ${DJANGO_TABLE} WHERE id = '${claimed[0]!.key}'`)

      for (let attempt = 0; attempt < 2; attempt++)
        for (const returnValue of [() => null, (row: number) => String(row)]) {
          const outcomes = claimed.map(({ key, claims }, row) => ({
            key,
            claims,
            status: 'SUCCESSFUL' as const,
            returnValue: returnValue(row),
          }))
          const { answers } = await store.exchange(outcomes, 0, claimFilter())
          expect(answers).toEqual(['refused', 'kept', 'kept'])
        }
      await store.close()
    })

    it('a queue whose letters do not fit is an error for its caller, who learns what to change', async () => {
      const result = run.using({ backend: 'mail', queueName: 'почта' }).enqueue('x')
      if (collation.startsWith('latin1'))
        await expect(result).rejects.toThrow(
          /^The database cannot hold a character of the arguments or the queue of task "spec.run": .*CHARACTER SET utf8mb4/,
        )
      else expect((await result).queueName).toBe('почта')
    })

    it('unique keys that differ only in capitals are two keys', async () => {
      const results = await inEach((uniqueKey) => run.using({ backend: 'mail', uniqueKey }))

      expect(new Set(results.map(({ id }) => id)).size).toBe(3)
      await runUntilEmpty({ backend: 'mail' })
      expect(await statuses(results)).toEqual(['SUCCESSFUL', 'SUCCESSFUL', 'SUCCESSFUL'])
    })

    it('a unique key whose column was made blind by hand does not give the result of another key, nor does a retry by hand name another key', async () => {
      const message = 'queue_name (latin1), backend_name (latin1), exception_class_path (latin1)'
      const narrow = collation.startsWith('latin1')
        ? [{ level: 'warning', message: expect.stringContaining(message) as string }]
        : []
      expect(await backends.get('mail').check()).toMatchObject(narrow)
      const keyed = (uniqueKey: string) => run.using({ backend: 'mail', uniqueKey }).enqueue('x')
      const cancelled = await keyed('KEY')
      await cancelled.cancel()
      await makeKeyBlind(dataSource, database, collation)
      // SQLite does not tell the collation of a column.
      if (database.name !== 'sqlite')
        expect(await backends.get('mail').check()).toMatchObject([
          {
            level: 'error',
            message: expect.stringContaining(`has the collation ${collation}: keys`),
          },
          ...(collation.startsWith('latin1') ? [{ level: 'warning' }] : []),
        ])
      const first = await keyed('key')

      expect((await keyed('key')).id).toBe(first.id)
      const mistaken =
        'Task "spec.run": the database takes the unique key "KEY" for "key": the collation of the column unique_key is not exact. Give the column a collation that compares exactly'
      await expect(keyed('KEY')).rejects.toThrow(mistaken)
      await expect(backends.get('mail').retry(cancelled.id)).rejects.toThrow(mistaken)
      // Keys are freed there, too.
      const other = await keyed('other')
      await other.cancel()
      await runUntilEmpty({ backend: 'mail' })
      expect(await statuses([first, other])).toEqual(['SUCCESSFUL', 'FAILED'])
      expect((await keyed('other')).id).not.toBe(other.id)
      await dataSource.query(`DELETE FROM ${DJANGO_TABLE}`)
    })
  })
})

function inEach(
  using: (spelling: string) => { enqueue(text: string): Promise<TaskResult<unknown>> },
): Promise<TaskResult<unknown>[]> {
  return Promise.all(SPELLINGS.map((spelling) => using(spelling).enqueue('x')))
}

async function statuses(results: readonly TaskResult<unknown>[]): Promise<string[]> {
  for (const result of results) await result.refresh()
  return results.map(({ status }) => status)
}

/** Django's own texts, as Django makes them in a database of that collation. */
async function makeBlind(
  dataSource: DataSource,
  { name }: SpecDatabase,
  collation: string,
): Promise<void> {
  if (isMySqlFamily(name)) {
    const [charset] = collation.split('_')
    for (const [column, type] of [
      ['status', 'varchar(10)'],
      ['queue_name', 'varchar(32)'],
      ['backend_name', 'varchar(32)'],
      ['task_path', 'longtext'],
      ['exception_class_path', 'longtext'],
      ['traceback', 'longtext'],
    ])
      await dataSource.query(
        `ALTER TABLE ${DJANGO_TABLE} MODIFY ${column} ${type} CHARACTER SET ${charset} COLLATE ${collation} NOT NULL`,
      )
  } else if (name === 'postgres') {
    await dataSource.query(
      `CREATE COLLATION ${collation} (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`,
    )
    for (const column of ['queue_name', 'backend_name', 'task_path', 'exception_class_path'])
      await dataSource.query(
        `ALTER TABLE ${DJANGO_TABLE} ALTER ${column} TYPE text COLLATE ${collation}`,
      )
  } else {
    const [table] = (await dataSource.query(
      `SELECT sql FROM sqlite_schema WHERE name = '${DJANGO_TABLE}'`,
    )) as { sql: string }[]
    await dataSource.query(`DROP TABLE ${DJANGO_TABLE}`)
    await dataSource.query(
      table!.sql.replace(
        /("(?:queue_name|backend_name|task_path|exception_class_path)" (?:varchar\(32\)|text))/g,
        `$1 COLLATE ${collation}`,
      ),
    )
    for (const sql of (await planMigration(dataSource)).up) await dataSource.query(sql)
  }
}

/** As a conversion of the whole table, or a migration by hand, leaves it. */
async function makeKeyBlind(
  dataSource: DataSource,
  { name }: SpecDatabase,
  collation: string,
): Promise<void> {
  if (isMySqlFamily(name))
    await dataSource.query(
      `ALTER TABLE ${DJANGO_TABLE} MODIFY unique_key varchar(128) CHARACTER SET ${collation.split('_')[0]} COLLATE ${collation}`,
    )
  else if (name === 'postgres')
    await dataSource.query(
      `ALTER TABLE ${DJANGO_TABLE} ALTER unique_key TYPE text COLLATE ${collation}`,
    )
  else
    for (const sql of [
      `ALTER TABLE ${DJANGO_TABLE} RENAME COLUMN unique_key TO old_key`,
      `ALTER TABLE ${DJANGO_TABLE} ADD unique_key varchar(128) COLLATE NOCASE`,
      `CREATE UNIQUE INDEX blind_key ON ${DJANGO_TABLE} (unique_key)`,
    ])
      await dataSource.query(sql)
}
