import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DataSource,
  type DataSourceOptions,
  type EntitySubscriberInterface,
  EventSubscriber,
} from 'typeorm'
import { configureTasks, DBTaskResult, task, type TaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { describeEachDatabase } from '../support/databases'
import { readyRow } from '../support/row-values'
import { catchLog } from '../support/tasks'
import { typeormVersion } from '../support/typeorm'

const keyed = task('keys.keyed', (value: number) => value)
const AT_ONCE = 50

/** What happens beside an INSERT of the library: right before and right after it. */
const beside: { before?: () => Promise<void>; after?: () => Promise<void> } = {}

@EventSubscriber()
class Beside implements EntitySubscriberInterface {
  async beforeQuery({ query }: { query: string }): Promise<void> {
    if (isInsert(query)) await beside.before?.()
  }

  async afterQuery({ query }: { query: string }): Promise<void> {
    if (isInsert(query)) await beside.after?.()
  }
}

describeEachDatabase(({ name, connect, fresh }) => {
  let dataSource: DataSource
  let elsewhere: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({
      entities: [DBTaskResult],
      synchronize: true,
      subscribers: [Beside],
    })
    elsewhere = new DataSource({
      ...dataSource.options,
      synchronize: false,
      subscribers: [],
    } as DataSourceOptions)
    await elsewhere.initialize()
  })
  afterAll(() => elsewhere.destroy())
  beforeEach(() => configure(dataSource))
  afterEach(async () => {
    delete beside.before
    delete beside.after
    await rows().clear()
  })

  const rows = () => elsewhere.getRepository(DBTaskResult)
  const enqueue = (value: number): Promise<TaskResult<number>> =>
    keyed.using({ uniqueKey: 'hot' }).enqueue(value)
  const isSqlite = name === 'sqlite'
  const server = isSqlite ? it.skip : it
  // TypeORM 0.3 does not wait for subscribers, on most databases.
  const watched = typeormVersion.startsWith('0.3') ? it.skip : it

  /** Ends whatever holds the key, as its worker would. */
  async function endHolder(): Promise<void> {
    await rows().update({ uniqueKey: 'f:hot' }, { status: 'SUCCESSFUL', uniqueKey: null })
  }

  it('F63 the key of a finished row that another program left is free', async () => {
    const first = await enqueue(1)
    await rows().update({ id: first.id }, { status: 'SUCCESSFUL' })

    const second = await enqueue(2)
    await rows().update({ id: second.id }, { status: 'FAILED' })
    const [third, alike] = await keyed.using({ uniqueKey: 'hot' }).enqueueMany([[3], [4]])

    expect(new Set([first.id, second.id, third!.id]).size).toBe(3)
    expect([second.args, third!.args, alike!.id]).toEqual([[2], [3], third!.id])
    expect((await enqueue(5)).id).toBe(third!.id)
    const kept = await rows().find({ order: { id: 'ASC' } })
    expect(kept.map(({ status, uniqueKey }) => [status, uniqueKey])).toEqual([
      ['SUCCESSFUL', null],
      ['FAILED', null],
      ['READY', 'f:hot'],
    ])
  })

  it("the same, in the caller's transaction", async () => {
    const first = await enqueue(1)
    await rows().update({ id: first.id }, { status: 'SUCCESSFUL' })

    const second = await dataSource.transaction(async (manager) => {
      await manager.count(DBTaskResult)
      return keyed.using({ manager, uniqueKey: 'hot' }).enqueue(2)
    })

    expect(second.id).not.toBe(first.id)
    expect(await rows().findBy({ uniqueKey: 'f:hot' })).toMatchObject([{ id: second.id }])
  })

  server(
    'keys of one call are written in one order, so that two transactions do not wait for each other',
    async () => {
      const each = keyed.using({ uniqueKey: (value) => `order ${value}` })
      const calls = Array.from({ length: 30 }, (_, value): [number] => [value])
      for (let round = 0; round < 5; round++) {
        await rows().clear()
        const [some, others] = await Promise.all(
          [calls, calls.toReversed()].map((inOrder) =>
            dataSource.transaction((manager) => each.using({ manager }).enqueueMany(inOrder)),
          ),
        )
        expect(some!.map(({ args }) => args)).toEqual(calls)
        expect(others!.map(({ id }) => id).toReversed()).toEqual(some!.map(({ id }) => id))
      }
    },
  )

  watched('F63 a task that ends before its enqueue has returned is its own', async () => {
    beside.after = endHolder

    const result = await enqueue(7)

    expect(result.args).toEqual([7])
    expect(await rows().find()).toMatchObject([{ id: result.id, argsKwargs: { args: [7] } }])
  })

  watched(
    'a task that ends before its enqueue has returned does not take the one that took the key after it',
    async () => {
      beside.after = async () => {
        delete beside.after
        await endHolder()
        await addHolder()
      }

      const result = await enqueue(7)

      expect(result.args).toEqual([7])
      expect((await rows().findOneByOrFail({ id: result.id })).argsKwargs).toMatchObject({
        args: [7],
      })
    },
  )

  watched('a key that is taken before each try, and free after it, is had in the end', async () => {
    let left = 6
    beside.before = async () => {
      if (left-- > 0) await addHolder()
    }
    beside.after = async () => {
      if (left >= 0) await endHolder()
    }

    const result = await enqueue(7)

    expect(left).toBe(-1)
    expect(result.args).toEqual([7])
    expect(await rows().findBy({ uniqueKey: 'f:hot' })).toMatchObject([{ id: result.id }])
  })

  server(`${AT_ONCE} transactions that enqueue with one key get its one holder`, async () => {
    const wide = await open(await fresh(), AT_ONCE)
    configure(wide)
    await keyed.enqueue(0)
    let reading = AT_ONCE

    const results = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        wide.transaction(async (manager) => {
          await manager.count(DBTaskResult)
          reading--
          while (reading > 0) await sleep(5)
          return keyed.using({ manager, uniqueKey: 'hot' }).enqueue(i)
        }),
      ),
    )

    expect(new Set(results.map(({ id }) => id)).size).toBe(1)
    expect(await wide.getRepository(DBTaskResult).count()).toBe(2)
    await wide.destroy()
  })

  server(
    'as many transactions as there are connections may be the first that enqueue',
    async () => {
      const first = await open(await fresh(), 10)
      configure(first)

      const all = Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          first.transaction((manager) => keyed.using({ manager }).enqueue(i)),
        ),
      )

      expect(await Promise.race([all.then((results) => results.length), sleep(15_000)])).toBe(10)
      await first.destroy()
    },
  )

  server('F38 an enqueue that the database ends as a deadlock is tried again', async () => {
    const id = '01a1fdbd-e26f-7482-ad10-7cd847424bc5'
    configureTasks({
      default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource, idFunction: () => id } },
    })
    const other = elsewhere.createQueryRunner()
    await other.startTransaction()
    // Heavier than the enqueue, which is therefore the one that is ended.
    for (let i = 0; i < 30; i++) await other.manager.insert(DBTaskResult, ready({}))
    await other.manager.insert(DBTaskResult, ready({ uniqueKey: 'f:hot' }))

    const enqueued = enqueue(7)
    await Promise.race([waitsForLock(), enqueued])
    await other.manager.insert(DBTaskResult, ready({ id }))
    await other.rollbackTransaction()
    await other.release()

    expect((await enqueued).id).toBe(id)
    expect(await rows().find()).toMatchObject([{ id, uniqueKey: 'f:hot' }])
  })

  async function addHolder(): Promise<void> {
    await rows().insert(ready({ uniqueKey: 'f:hot' }) as object)
  }

  /** Until some statement waits for a lock. */
  async function waitsForLock(): Promise<void> {
    const sql = {
      sqlite: '',
      postgres: 'SELECT count(*) AS n FROM pg_locks WHERE NOT granted',
      mariadb:
        "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
      mysql:
        "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'",
    }[name]
    for (;;) {
      const [record] = (await elsewhere.query(sql)) as { n: number | string }[]
      if (Number(record?.n) > 0) return
      // InnoDB keeps giving the same answer while it is asked more often than every 100 ms.
      await sleep(150)
    }
  }
})

function configure(dataSource: DataSource): void {
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
}

async function open(options: DataSourceOptions, poolSize: number): Promise<DataSource> {
  const entities = [DBTaskResult]
  const all = { ...options, poolSize, entities, synchronize: true } as DataSourceOptions
  return await new DataSource(all).initialize()
}

function ready(differently: Partial<DBTaskResult>): object {
  return readyRow({ taskPath: 'keys.keyed', id: randomUUID(), ...differently })
}

function isInsert(query: string): boolean {
  return query.startsWith('INSERT') || query.startsWith('WITH written')
}
