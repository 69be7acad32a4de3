import {
  Column,
  DataSource,
  type DataSourceOptions,
  DefaultNamingStrategy,
  Entity,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
} from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  dbTaskResultSchema,
  runUntilEmpty,
  task,
} from 'typeorm-tasks'
import { backends } from '#backend-registry'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

/** Changes names that an entity gives, too. */
class Prefixed extends DefaultNamingStrategy {
  readonly #prefix = 'c_'

  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    return this.#prefix + super.columnName(property, given ?? '', prefixes)
  }
}

class Shouting extends DefaultNamingStrategy {
  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    return super.columnName(property, given ?? '', prefixes).toUpperCase()
  }
}

/** An entity of the app's own. */
@Entity('orders')
class Order {
  @PrimaryColumn({ type: 'int', name: 'order_id' })
  id!: number

  @Column({ type: 'int', name: 'priority' })
  priority!: number
}

/** One that points to a task. */
@Entity('pointers')
class Pointer {
  @PrimaryColumn({ type: 'int' })
  id!: number

  @ManyToOne(() => DBTaskResult, { onDelete: 'SET NULL', nullable: true })
  @JoinColumn({ name: 'task' })
  task!: DBTaskResult | null
}

const add = task('naming.add', (a: number, b: number) => a + b)

/** Statements, Django and people know the columns of the tasks table by their names. */
describeEachDatabase((database) => {
  beforeAll(() => void catchLog())

  describe.each([
    ['prefix', new Prefixed(), 'c_priority'],
    ['upper case', new Shouting(), 'PRIORITY'],
  ])('a naming strategy of %s', (_, namingStrategy, theirs) => {
    it.each([
      ['the entity', () => [DBTaskResult, Pointer]],
      ['a schema', () => [dbTaskResultSchema({ tableName: 'our_tasks' })]],
    ])(
      'leaves the columns of %s as they are, and changes those of the app',
      async (_, entities) => {
        const dataSource = new DataSource({
          ...(await database.fresh()),
          entities: [Order, ...entities()],
          synchronize: true,
          namingStrategy,
        } as DataSourceOptions)
        await dataSource.initialize()
        try {
          configureTasks({
            default: {
              BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
              QUEUES: [],
              OPTIONS: { dataSource },
            },
          })
          const result = await add.using({ priority: 7, uniqueKey: 'one' }).enqueue(1, 2)
          await dataSource.getRepository(Order).save({ id: 1, priority: 2 })
          await runUntilEmpty()

          expect((await result.refresh()).returnValue).toBe(3)
          expect(await dataSource.getRepository(DBTaskResult).find()).toMatchObject([
            { priority: 7 },
          ])
          expect(dataSource.getMetadata(DBTaskResult).columns.map((c) => c.databaseName)).toContain(
            'priority',
          )
          expect(
            dataSource.getMetadata(Order).findColumnWithPropertyName('priority')?.databaseName,
          ).toBe(theirs)
          expect(
            (await backends.get('default').check()).filter((p) => p.level === 'error'),
          ).toEqual([])
          expect((await dataSource.driver.createSchemaBuilder().log()).upQueries).toEqual([])
          expect(dataSource.namingStrategy).toBe(namingStrategy)
        } finally {
          await dataSource.destroy()
        }
      },
    )
  })
})
