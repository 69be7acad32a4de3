import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Column, DataSource, Entity, PrimaryGeneratedColumn, type DataSourceOptions } from 'typeorm'
import { makemigrations } from '#makemigrations'
import { planMigration } from '#plan'
import {
  DBTaskQueue,
  DBTaskResult,
  dbTaskResultSchema,
  DBTaskWorker,
  taskEntities,
} from '#entities'
import { DJANGO_TABLE, djangoDdl } from '../support/django-ddl'
import { readyRow } from '../support/row-values'
import { schemaOf } from '../support/schemas'
import { describeEachDatabase, isMySqlFamily, typesOf } from '../support/databases'

@Entity()
class Book {
  @PrimaryGeneratedColumn()
  id!: number

  @Column({ type: 'varchar' })
  title!: string
}

const folder = mkdtempSync(join(tmpdir(), 'migrations-'))
afterAll(() => rmSync(folder, { recursive: true }))

describeEachDatabase((database) => {
  const types = typesOf(database.name)

  describe.each(types)('the migration of an app, under the type %s', (type) => {
    const migrations = join(folder, `${database.name}-${type}`)
    let app: DataSource

    beforeAll(async () => {
      const options = {
        ...(await database.fresh(type ? { type } : {})),
        migrations: [`${migrations}/*.js`],
      } as DataSourceOptions
      await using(
        new DataSource({ ...options, entities: [Book] } as DataSourceOptions),
        async (before) => await before.synchronize(),
      )
      app = new DataSource({ ...options, entities: [Book, DBTaskResult] } as DataSourceOptions)
    })
    afterAll(async () => {
      if (app.isInitialized) await app.destroy()
    })

    const make = async (): Promise<string[]> => {
      const printed: string[] = []
      await makemigrations({
        app: {
          dataSource: app,
          language: 'js',
          modules: 'commonjs',
          root: folder,
          file: join(folder, 'ormconfig.js'),
        },
        print: (line) => printed.push(line),
      })
      return printed
    }

    test('F66 makes the table, after which nobody finds a difference; undone, it leaves what was there before', async () => {
      await make()
      expect(app.isInitialized).toBe(false)
      expect(readdirSync(migrations)).toHaveLength(1)
      await app.initialize()
      const before = await schemaOf(app)
      await app.runMigrations()
      expect(await differences(app)).toEqual([])
      expect(await make()).toEqual(['No changes detected'])

      const made = await schemaOf(app)
      await app.synchronize()
      expect(await schemaOf(app)).toEqual(made)
      expect(made.join('\n')).toMatch(/priority_check/)

      await app.undoLastMigration()
      expect(await schemaOf(app)).toEqual(before)
      await app.runMigrations()
    })

    test('the table serves rows and refuses a priority beyond 100', async () => {
      const row = readyRow()
      await app.getRepository(DBTaskResult).save(row)
      expect(await app.getRepository(DBTaskResult).find()).toEqual([row])
      await expect(
        app.getRepository(DBTaskResult).insert(readyRow({ priority: 101 }) as object),
      ).rejects.toThrow(/priority_check/)
    })

    test('a change of the app itself is none of its business', async () => {
      const bigger = new DataSource({
        ...app.options,
        entities: [Book, Author, DBTaskResult],
      } as DataSourceOptions)
      expect(await planMigration(bigger)).toMatchObject({ up: [], down: [] })
    })

    test('a table that lacks something gets just that', async () => {
      const complete = await schemaOf(app)
      await app.query(`ALTER TABLE db_task_result DROP COLUMN ${app.driver.escape('options')}`)
      await app.query(
        `DROP INDEX db_task_result_ready_idx${isMySqlFamily(database.name) ? ' ON db_task_result' : ''}`,
      )
      if (isMySqlFamily(database.name))
        await app.query('ALTER TABLE db_task_result DROP CONSTRAINT db_task_result_priority_check')
      const lacking = await schemaOf(app)
      const { up, down } = await planMigration(app)
      for (const sql of up) await app.query(sql)
      expect(sorted(await schemaOf(app))).toEqual(sorted(complete))
      for (const sql of down) await app.query(sql)
      expect(sorted(await schemaOf(app))).toEqual(sorted(lacking))
      for (const sql of up) await app.query(sql)
      expect(await planMigration(app)).toMatchObject({ up: [], down: [] })
      expect(await app.getRepository(DBTaskResult).count()).toBe(1)
    })
  })

  describe.each(types)('the table of workers, under the type %s,', (type) => {
    const fresh = async (): Promise<DataSourceOptions> =>
      database.fresh(type ? { type } : {}) as Promise<DataSourceOptions>
    const applied = async (app: DataSource): Promise<string[]> => {
      const before = await schemaOf(app)
      const { up, down } = await planMigration(app)
      for (const sql of up) await app.query(sql)
      const after = await schemaOf(app)
      expect(await planMigration(app)).toMatchObject({ up: [], down: [] })
      for (const sql of down) await app.query(sql)
      expect(sorted(await schemaOf(app))).toEqual(sorted(before))
      for (const sql of up) await app.query(sql)
      expect(await schemaOf(app)).toEqual(after)
      return [...up]
    }

    test('is added to a tasks table that is there, as soon as it is listed', async () => {
      const options = await fresh()
      await using(new DataSource({ ...options, entities: [DBTaskResult] }), async (app) => {
        for (const sql of (await planMigration(app)).up) await app.query(sql)
        expect(await planMigration(app)).toMatchObject({ up: [], down: [] })
      })
      await using(
        new DataSource({ ...options, entities: [Book, ...taskEntities] }),
        async (app) => {
          expect(await applied(app)).toEqual([
            expect.stringMatching(/^CREATE TABLE .*db_task_queue/s),
            expect.stringMatching(/^CREATE TABLE .*db_task_worker/s),
          ])
          expect(await app.getRepository(DBTaskQueue).count()).toBe(0)
          expect(await app.getRepository(DBTaskWorker).count()).toBe(0)
        },
      )
    })

    test('is made with a new tasks table, and beside the check that an old one lacks', async () => {
      await using(new DataSource({ ...(await fresh()), entities: taskEntities }), async (app) => {
        const up = await applied(app)
        expect(up.filter((sql) => sql.startsWith('CREATE TABLE'))).toHaveLength(3)
        await app.query('DROP TABLE db_task_worker')
        if (isMySqlFamily(database.name))
          await app.query(
            'ALTER TABLE db_task_result DROP CONSTRAINT db_task_result_priority_check',
          )
        expect(await applied(app)).toHaveLength(isMySqlFamily(database.name) ? 2 : 1)
      })
    })

    test('is made beside a tasks table of Django', async () => {
      const entities = [
        dbTaskResultSchema({ tableName: DJANGO_TABLE, managed: false }),
        DBTaskWorker,
      ]
      await using(new DataSource({ ...(await fresh()), entities }), async (app) => {
        for (const sql of djangoDdl[database.name]) await app.query(sql)
        const up = await applied(app)
        expect(up.filter((sql) => sql.startsWith('CREATE TABLE'))).toHaveLength(1)
        expect(up.filter((sql) => sql.startsWith('ALTER TABLE')).length).toBeGreaterThan(5)
      })
    })
  })

  test('a prefix and a table name are kept by the migration', async () => {
    const options = {
      ...(await database.fresh()),
      entityPrefix: 'app_',
      entities: [dbTaskResultSchema({ tableName: 'jobs' }), DBTaskWorker],
    } as DataSourceOptions
    await using(new DataSource(options), async (app) => {
      for (const sql of (await planMigration(app)).up) await app.query(sql)
      expect(await planMigration(app)).toMatchObject({ up: [], down: [] })
      await app.getRepository(DBTaskResult).save(readyRow())
      expect(await app.query('SELECT status FROM app_jobs')).toEqual([{ status: 'READY' }])
      expect(await app.query('SELECT id FROM app_db_task_worker')).toEqual([])
    })
  })
})

@Entity()
class Author {
  @PrimaryGeneratedColumn()
  id!: number
}

async function using(
  dataSource: DataSource,
  work: (dataSource: DataSource) => Promise<void>,
): Promise<void> {
  await dataSource.initialize()
  try {
    await work(dataSource)
  } finally {
    await dataSource.destroy()
  }
}

async function differences(app: DataSource): Promise<string[]> {
  return (await app.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query)
}

/** Columns change places when one is taken out and put back, and TypeORM adds parentheses where it rebuilds a table. */
function sorted(schema: string[]): string[] {
  return schema
    .flatMap((said) => said.split(/,\s*\n?/))
    .map((part) => part.replaceAll(/[()]/g, '').trim())
    .toSorted((a, b) => a.localeCompare(b))
}
