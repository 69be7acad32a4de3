import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource, DataSourceOptions } from 'typeorm'
import {
  addTransactionalDataSource,
  initializeTransactionalContext,
  runInTransaction,
  StorageDriver,
} from 'typeorm-transactional'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  InvalidTaskError,
  runUntilEmpty,
  setLogger,
  startWorker,
  type Task,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { describeEachDatabase, type SpecDatabase } from '../support/databases'

type Note = Task<[string], string>

const note = task('spec.note', async (text: string) => text)
const ways = ['manager', 'atomic', 'typeorm-transactional'] as const

initializeTransactionalContext({ storageDriver: StorageDriver.AUTO })

describeEachDatabase((database) => {
  const places: Record<string, DataSource> = {}
  const troubles: string[] = []

  beforeAll(async () => {
    const trouble = (line: string): void => void troubles.push(line)
    setLogger({ debug: () => {}, info: () => {}, warn: trouble, error: trouble })
    for (const way of ways) places[way] = await open(database)
    addTransactionalDataSource({
      name: database.name,
      dataSource: places['typeorm-transactional']!,
    })
    configure(places)
  })
  afterEach(async () => {
    troubles.length = 0
    for (const dataSource of Object.values(places)) await rowsOf(dataSource).clear()
  })

  /** Runs `work` in a transaction that its enqueues join by one of the ways. */
  function inTransaction(
    way: string,
    work: (joined: Note, query: (sql: string) => Promise<unknown>) => Promise<void>,
  ): Promise<void> {
    const dataSource = places[way]!
    const own = note.using({ backend: way })
    if (way === 'manager')
      return dataSource.transaction((manager) =>
        work(own.using({ manager }), (sql) => manager.query(sql)),
      )
    if (way === 'atomic')
      return atomic(dataSource, (manager) => work(own, (sql) => manager.query(sql)))
    return runInTransaction(() => work(own, (sql) => dataSource.query(sql)), {
      connectionName: database.name,
    })
  }

  describe.each(ways)('joined by %s', (way) => {
    it('a task vanishes with the transaction that rolls back', async () => {
      const attempt = inTransaction(way, async (joined) => {
        await joined.enqueue('gone')
        await joined.enqueueMany([['gone'], ['gone']])
        throw new Error('back')
      })

      await expect(attempt).rejects.toThrow('back')
      expect(await rowsOf(places[way]!).count()).toBe(0)
    })

    it('a task stays with the transaction that commits, and can be read inside it', async () => {
      await inTransaction(way, async (joined) => {
        const result = await joined.enqueue('kept')
        expect((await joined.getResult(result.id)).status).toBe('READY')
      })

      await runUntilEmpty({ backend: way })
      expect(await rowsOf(places[way]!).countBy({ status: 'SUCCESSFUL' })).toBe(1)
    })
  })

  it('a task of a transaction that commits after 3 s is not started before, and soon after', async () => {
    const workers = await Promise.all(
      ways.map((way) => startWorker({ backend: way, interval: 50 })),
    )
    const seen = await Promise.all(ways.map(async (way) => await lateCommit(way)))
    await Promise.all(workers.map((worker) => worker.stop()))

    for (const { way, opened, atCommit, result } of seen) {
      // A timer of 3 s and the database's clock do not agree to the millisecond.
      expect([way, atCommit - opened >= 2_950]).toEqual([way, true])
      const waited = result.startedAt!.getTime() - atCommit
      expect([way, waited, waited >= 0 && waited <= 2_000]).toEqual([way, waited, true])
      expect([way, result.returnValue, result.attempts]).toEqual([way, 'late', 1])
    }
    expect(troubles).toEqual([])
  })

  async function lateCommit(
    way: string,
  ): Promise<{ way: string; opened: number; atCommit: number; result: TaskResult<string> }> {
    await (
      await note.using({ backend: way }).enqueue('the worker is awake')
    ).wait({ timeout: 5_000 })
    const times: number[] = []
    const results: TaskResult<string>[] = []
    await inTransaction(way, async (joined, query) => {
      times.push(await databaseNow(database, query))
      results.push(await joined.enqueue('late'))
      await sleep(3_000)
      times.push(await databaseNow(database, query))
    })
    const [result] = results
    return {
      way,
      opened: times[0]!,
      atCommit: times[1]!,
      result: await result!.wait({ timeout: 5_000 }),
    }
  }

  it("the rollback of an inner atomic leaves the outer one's tasks", async () => {
    const dataSource = places['atomic']!
    const own = note.using({ backend: 'atomic' })
    await atomic(dataSource, async () => {
      await own.enqueue('outer, before')
      await atomic(dataSource, async () => {
        await own.enqueue('inner')
        throw new Error('back')
      }).catch(() => {})
      await atomic(dataSource, () => own.enqueue('inner that stays'))
      await own.enqueue('outer, after')
    })

    const texts = (await rowsOf(dataSource).find()).map(({ argsKwargs }) => argsKwargs.args[0])
    expect(texts.map(String).toSorted()).toEqual([
      'inner that stays',
      'outer, after',
      'outer, before',
    ])
  })

  it('an explicit manager goes before the atomic around it', async () => {
    if (database.name === 'sqlite') return // one connection, one transaction
    const dataSource = places['atomic']!
    const attempt = atomic(dataSource, async () => {
      await note.using({ backend: 'atomic', manager: dataSource.manager }).enqueue('outside')
      throw new Error('back')
    })

    await expect(attempt).rejects.toThrow('back')
    expect(await rowsOf(dataSource).count()).toBe(1)
  })

  it('a manager of another DataSource is refused', async () => {
    const attempt = places['atomic']!.transaction((manager) =>
      note.using({ backend: 'manager', manager }).enqueue('lost'),
    )

    await expect(attempt).rejects.toThrow(InvalidTaskError)
    await expect(attempt).rejects.toThrow(
      'The manager belongs to another DataSource than the one of TASKS.',
    )
  })

  describe('many at once', () => {
    const orders = Array.from({ length: 9 }, (): [string] => ['x'.repeat(1_000_000)])
    let dataSource: DataSource
    let inserts = 0
    let ids: string[]

    beforeAll(async () => {
      const counting = {
        logQuery: (sql: string): number => (inserts += Number(sql.includes('INSERT INTO'))),
        logQueryError() {},
        logQuerySlow() {},
        logSchemaBuild() {},
        logMigration() {},
        log() {},
      }
      dataSource = await open(database, {
        logging: true,
        logger: counting as NonNullable<DataSourceOptions['logger']>,
      })
      configure({ ...places, many: dataSource }, () => ids.shift()!)
    })
    beforeEach(() => {
      inserts = 0
      ids = [1, 2, 3, 4, 5, 6, 7, 8, 1].map(idNumber)
    })
    afterEach(() => rowsOf(dataSource).clear())
    afterAll(() => configure(places))

    it('are all there or none, though they take several statements', async () => {
      await expect(note.using({ backend: 'many' }).enqueueMany(orders)).rejects.toThrow(
        /duplicate|UNIQUE/i,
      )

      expect(inserts).toBe({ sqlite: 1, postgres: 2, mariadb: 9 }[database.name])
      expect(await rowsOf(dataSource).count()).toBe(0)
    })

    it('are all there or none too when the transaction around them goes on', async () => {
      await atomic(dataSource, async () => {
        await note
          .using({ backend: 'many' })
          .enqueueMany(orders)
          .catch(() => {})
        ids = [idNumber(1)]
        await note.using({ backend: 'many' }).enqueue('and on')
      })

      expect((await rowsOf(dataSource).find()).map(({ argsKwargs }) => argsKwargs.args[0])).toEqual(
        ['and on'],
      )
    })
  })

  describe("what a worker records is not part of an app's transaction", () => {
    it('that is open when it claims and finishes', async () => {
      const dataSource = places['atomic']!
      const result = await note.using({ backend: 'atomic' }).enqueue('done meanwhile')
      const attempt = atomic(dataSource, async () => {
        await runUntilEmpty({ backend: 'atomic' })
        throw new Error('back')
      })

      await expect(attempt).rejects.toThrow('back')
      expect((await result.refresh()).status).toBe('SUCCESSFUL')
    })

    it('that a task in the same worker has open and rolls back', async () => {
      const dataSource = places['atomic']!
      const slow = task(
        'spec.slow',
        () =>
          atomic(dataSource, async () => {
            await note.using({ backend: 'atomic' }).enqueue('never')
            await sleep(1_000)
            throw new Error('back')
          }),
        { backend: 'atomic' },
      )
      const slowResult = await slow.using({ priority: 1 }).enqueue()
      const quickResult = await note.using({ backend: 'atomic' }).enqueue('quick')

      await runUntilEmpty({ backend: 'atomic' })

      expect((await slowResult.refresh()).errors[0]!.traceback).toMatch(/^Error: back\n/)
      expect((await quickResult.refresh()).returnValue).toBe('quick')
      expect(await rowsOf(dataSource).count()).toBe(2)
      expect(troubles).toEqual([
        expect.stringContaining('path=spec.slow state=FAILED error=Error: back'),
      ])
    })
  })
})

async function open(
  database: SpecDatabase,
  extra: Partial<DataSourceOptions> = {},
): Promise<DataSource> {
  return await database.connect({ entities: [DBTaskResult], synchronize: true, ...extra } as object)
}

function configure(places: Record<string, DataSource>, idFunction?: () => string): void {
  const entries = Object.entries(places).map(([alias, dataSource]) => {
    const OPTIONS = alias === 'many' && idFunction ? { dataSource, idFunction } : { dataSource }
    return [
      alias,
      { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [], OPTIONS },
    ] as const
  })
  const settings = Object.fromEntries(entries)
  configureTasks({ default: settings['manager']!, ...settings })
}

function rowsOf(dataSource: DataSource) {
  return dataSource.getRepository(DBTaskResult)
}

function idNumber(digit: number): string {
  return `0190b6a0-1111-7abc-8000-00000000000${digit}`
}

/** The database's time in milliseconds, told inside a transaction as it passes. */
async function databaseNow(
  { name }: SpecDatabase,
  query: (sql: string) => Promise<unknown>,
): Promise<number> {
  const [row] = (await query(NOW[name])) as { now: string | number }[]
  return Math.floor(Number(row!.now))
}

const NOW = {
  sqlite: `SELECT strftime('%s', 'now') * 1000 + substr(strftime('%f', 'now'), 4) AS now`,
  postgres: 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now',
  mariadb: "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000 AS now",
}
