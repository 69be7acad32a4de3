import { Column, type DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm'
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  runInTransaction,
  StorageDriver,
} from 'typeorm-transactional'
import { configureTasks, DBTaskResult, task } from 'typeorm-tasks'
import { testTasks } from 'typeorm-tasks/testing'
import { describeEachDatabase } from '../support/databases'

@Entity()
class Person {
  @PrimaryGeneratedColumn()
  id!: number

  @Column()
  name!: string
}

let open: DataSource
/** Uses the repository, as services of Nest do, and no manager. */
const greet = task('transactional.greet', async (id: number) => {
  const people = open.getRepository(Person)
  const person = await people.findOneByOrFail({ id })
  await people.update(id, { name: `Dear ${person.name}` })
  await done.enqueue()
  return person.name
})
const done = task('transactional.done', () => {})

initializeTransactionalContext({ storageDriver: StorageDriver.AUTO })

describeEachDatabase((database) => {
  const connectionName = `kit ${database.name}`

  beforeAll(async () => {
    open = await database.connect({ entities: [DBTaskResult, Person], synchronize: true })
    addTransactionalDataSource({ name: connectionName, dataSource: open })
  })

  it.each(['database', 'inline'] as const)(
    'in the mode %s tasks see and write what a test holds that typeorm-transactional rolls back',
    async (mode) => {
      const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'
      configureTasks({ default: { BACKEND, OPTIONS: { dataSource: open } } })
      const undone = new Error('rolled back')
      const test = async (): Promise<void> => {
        const people = open.getRepository(Person)
        const { id } = await people.save({ name: 'Ann' })
        if (mode === 'inline') {
          const tasks = testTasks({ mode })
          await greet.enqueue(id)
          tasks.expectEnqueued(done)
          await tasks.restore()
        } else {
          const tasks = testTasks({ mode })
          await greet.enqueue(id)
          await tasks.drain({ manager: open.manager })
          await tasks.expectEnqueued(done, [], { manager: open.manager })
          await tasks.restore()
        }
        expect(await people.findOneByOrFail({ id })).toEqual({ id, name: 'Dear Ann' })
        throw undone
      }
      await expect(runInTransaction(test, { connectionName })).rejects.toBe(undone)
      expect(await open.getRepository(DBTaskResult).count()).toBe(0)
      expect(await open.getRepository(Person).count()).toBe(0)
    },
  )
})
