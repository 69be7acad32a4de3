import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions, EntitySchema } from 'typeorm'
import { configureTasks, DBTaskResult, runUntilEmpty, task, type TaskContext } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const SQL = {
  postgres: { id: 'SELECT pg_backend_pid() AS id', kill: 'SELECT pg_terminate_backend' },
  mysql: { id: 'SELECT CONNECTION_ID() AS id', kill: 'KILL' },
}

interface Entry {
  id: number
}
const Ledger = new EntitySchema<Entry>({
  name: 'ledger',
  columns: { id: { type: Number, primary: true, generated: true } },
})

/** How many runs lose their connection after the last statement of the task. */
let losses = 0
let runs = 0
/** Time in ms between the loss and the return: the driver hears of it in between, or not. */
let waits = 0
let killed = async (_manager: TaskContext['manager']): Promise<void> => {}
const book = task(
  'lost.book',
  async ({ manager }: TaskContext) => {
    runs++
    await manager.insert(Ledger, {})
    if (runs > losses) return runs
    await killed(manager)
    await sleep(waits)
    return runs
  },
  { takesContext: true, transactional: true },
)

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let other: DataSource

    beforeAll(async () => {
      catchLog()
      dataSource = await database.connect({ entities: [DBTaskResult, Ledger], synchronize: true })
      other = await new DataSource({
        ...dataSource.options,
        synchronize: false,
      } as DataSourceOptions).initialize()
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
      const sql = SQL[database.name === 'postgres' ? 'postgres' : 'mysql']
      killed = async (manager) => {
        const [found] = (await manager.query(sql.id)) as { id: unknown }[]
        await other.query(`${sql.kill}(${Number(found?.id)})`.replace('KILL(', 'KILL ('))
      }
    })
    beforeEach(async () => {
      runs = 0
      waits = 0
      await dataSource.getRepository(Ledger).clear()
    })
    afterAll(() => other.destroy())

    it.each([0, 5, 50])('a loss that is %d ms before the return, too', async (ms) => {
      losses = 1
      waits = ms
      const result = await book.enqueue()

      await runUntilEmpty()

      await result.refresh()
      expect({ status: result.status, runs }).toEqual({ status: 'SUCCESSFUL', runs: 2 })
      expect(await dataSource.getRepository(Ledger).count()).toBe(1)
    })

    it.each([
      {
        name: 'runs again',
        lost: 1,
        rerunAfterCrash: true,
        ends: 'SUCCESSFUL',
        ran: 2,
        written: 1,
      },
      {
        name: 'it does so up to maxCrashes',
        lost: 9,
        rerunAfterCrash: true,
        ends: 'FAILED',
        ran: 3,
      },
      {
        name: 'one that must not run twice is FAILED',
        lost: 9,
        rerunAfterCrash: false,
        ends: 'FAILED',
        ran: 1,
      },
    ])(
      'a task whose connection is lost between its return and the commit: $name',
      async ({ lost, rerunAfterCrash, ends, ran, written = 0 }) => {
        losses = lost
        const result = await book.using({ rerunAfterCrash }).enqueue()

        await runUntilEmpty()

        await result.refresh()
        expect({ status: result.status, runs }).toEqual({ status: ends, runs: ran })
        expect(await dataSource.getRepository(Ledger).count()).toBe(written)
        const { attemptErrors } = await dataSource
          .getRepository(DBTaskResult)
          .findOneByOrFail({ id: result.id })
        expect(attemptErrors?.map((error) => Reflect.get(error, 'crash')) ?? []).toEqual(
          Array.from({ length: ran - 1 }, () => true),
        )
      },
    )
  },
  { only: ['postgres', 'mariadb', 'mysql'] },
)
