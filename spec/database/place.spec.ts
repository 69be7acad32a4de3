import { DataSource } from 'typeorm'
import {
  configureTasks,
  DataSourceError,
  DBTaskResult,
  InvalidSettingsError,
  managerOn,
} from 'typeorm-tasks'
import { DatabaseBackend, setDefaultDataSource } from '#backends/database'
import { describeEachDatabase } from '../support/databases'
import { add } from '../support/tasks'

describeEachDatabase((database) => {
  const opened: DataSource[] = []

  async function open(): Promise<DataSource> {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    opened.push(dataSource)
    return dataSource
  }
  function use(dataSource?: unknown): void {
    configureTasks({
      default: {
        BACKEND: DatabaseBackend,
        OPTIONS: dataSource === undefined ? {} : { dataSource },
      },
    })
  }
  const count = (dataSource: DataSource): Promise<number> =>
    dataSource.getRepository(DBTaskResult).count()

  afterEach(async () => {
    setDefaultDataSource(undefined)
    for (const dataSource of opened.splice(0))
      if (dataSource.isInitialized) await dataSource.destroy()
  })

  it('a data source that was destroyed is refused, also after it has served', async () => {
    const dataSource = await open()
    use(dataSource)
    await add.enqueue(1)
    await dataSource.destroy()

    await expect(add.enqueue(2)).rejects.toThrow(DataSourceError)

    await dataSource.initialize()
    await add.enqueue(3)
    expect(await count(dataSource)).toBe(2)
  })

  it('a function is asked at each enqueue, so that it may give another data source', async () => {
    const [first, second] = [await open(), await open()]
    let current = first
    use(() => current)
    await add.enqueue(1)
    current = second

    await add.enqueueMany([[2], [3]])

    expect([await count(first), await count(second)]).toEqual([1, 2])
  })

  it('a function that promises a data source is called once, and again after a failure or its end', async () => {
    let calls = 0
    let last = await open()
    use(async () => {
      calls++
      if (calls === 1) throw new Error('not yet')
      return (last = last.isInitialized ? last : await last.initialize())
    })
    await expect(add.enqueue(1)).rejects.toThrow('not yet')
    await Promise.all([add.enqueue(1), add.enqueue(2), add.enqueue(3)])
    await add.enqueue(4)
    expect(calls).toBe(2)
    await last.destroy()
    await Promise.all([add.enqueue(5), add.enqueue(6)])

    expect([calls, await count(last)]).toEqual([3, 6])
  })

  it('a class in the place of a data source is named', () => {
    expect(() => use(DataSource)).toThrow(
      'TASKS.default.OPTIONS.dataSource: expected a DataSource, got the class DataSource. Pass an instance',
    )
    expect(() => managerOn(undefined as never, {})).toThrow(
      'Expected the DataSource of TASKS, got undefined.',
    )
  })

  it('the default data source serves until it is set to another one', async () => {
    const [first, second] = [await open(), await open()]
    use()
    setDefaultDataSource(first)
    await add.enqueue(1)
    setDefaultDataSource(second)
    await add.enqueueMany([[2], [3]])
    setDefaultDataSource(undefined)

    await expect(add.enqueue(4)).rejects.toThrow('TASKS.default.OPTIONS has no dataSource.')
    expect([await count(first), await count(second)]).toEqual([1, 2])
  })

  it('what only looks like a data source is refused', async () => {
    const { options, manager, isInitialized } = await open()
    use({ options, manager, isInitialized })

    await expect(add.enqueue(1)).rejects.toThrow(InvalidSettingsError)
  })
})
