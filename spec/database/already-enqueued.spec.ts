import { AlreadyEnqueuedError, configureTasks, DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import type { DataSource } from 'typeorm'
import { describeEachDatabase } from '../support/databases'
import { add, catchLog } from '../support/tasks'

const ID = '01a1fdbd-e26f-7482-ad10-7cd847424bc5'

describeEachDatabase((database) => {
  let dataSource: DataSource
  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    catchLog()
    configureTasks({
      default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource, idFunction: () => ID } },
    })
  })
  beforeEach(() => dataSource.getRepository(DBTaskResult).clear())

  it('an enqueue that is made again with the same id is told that it is there already', async () => {
    await add.enqueue(1)

    const again = add.enqueue(2)

    await expect(again).rejects.toThrow(AlreadyEnqueuedError)
    await expect(again).rejects.toMatchObject({
      code: 'ALREADY_ENQUEUED',
      message: expect.stringContaining(
        `"spec.add" is already enqueued: there is a row with the id ${ID}.`,
      ) as string,
      hint: expect.stringContaining('uniqueKey') as string,
    })
    expect(await dataSource.getRepository(DBTaskResult).find()).toMatchObject([
      { argsKwargs: { args: [1] } },
    ])
  })

  it('several that are made at once with one id are not written at all', async () => {
    await expect(add.enqueueMany([[1], [2]])).rejects.toThrow(
      'is already enqueued: one of the 2 ids is taken.',
    )

    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
  })

  it('an id that is taken is told also where a unique key is given that is free', async () => {
    await add.enqueue(1)

    await expect(add.using({ uniqueKey: 'order-7' }).enqueue(2)).rejects.toThrow(
      AlreadyEnqueuedError,
    )

    expect(await dataSource.getRepository(DBTaskResult).find()).toMatchObject([
      { argsKwargs: { args: [1] }, uniqueKey: null },
    ])
  })
})
