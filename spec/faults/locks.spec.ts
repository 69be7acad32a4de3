import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE } from './kit/timing'

scenarios((add) => {
  add(
    'F39 a READY row that another session has locked is passed over, and runs when it is free',
    async (field) => {
      const [locked] = await field.enqueue('count', [[]], { priority: 10 })
      const others = await field.enqueue(
        'count',
        Array.from({ length: 100 }, () => []),
      )
      const free = await lockRow(field, locked!)
      await field.worker()

      expect(await field.finished(others)).toBeLessThan(5_000)
      expect((await field.row(locked!)).status).toBe('READY')

      await free()
      await field.finished()
    },
    { on: ['postgres', 'mariadb', 'mysql'] },
  )

  add(
    'F40 a lock on a running row holds up neither other rows nor, in the end, its own',
    async (field) => {
      const [held] = await field.enqueue('sleep', [[2_000]])
      await field.worker()
      await field.sees('start')
      const free = await lockRow(field, held!)
      const others = await field.enqueue(
        'count',
        Array.from({ length: 20 }, () => []),
      )

      expect(await field.finished(others)).toBeLessThan(2 * LEASE)
      await sleep(2 * LEASE)
      await free()
      await field.finished()

      expect((await field.row(held!)).status).toBe('SUCCESSFUL')
    },
    { on: ['postgres', 'mariadb', 'mysql'] },
  )

  add(
    'F38 a deadlock with another transaction harms no task',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 10 }, () => [1_000]),
      )
      await field.worker()
      await field.sees('start', 10)

      // Against the order of the worker, and with time between the locks: its one statement for all rows meets this half way.
      for (let round = 0; round < 3; round++) await crossing(field, ids.toReversed())
      await field.finished()

      expect((await field.rows()).map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESSFUL'))
    },
    { on: ['postgres', 'mariadb', 'mysql'] },
  )

  add(
    'F46 what a task rolls back in a transaction of its app takes nothing else with it',
    async (field) => {
      const [slow] = await field.enqueue('rollback', [[1_500]], { priority: 1 })
      const [quick] = await field.enqueue('sleep', [[500]])
      const worker = await field.worker()

      await field.finished()

      const [slowRow, quickRow] = [await field.row(slow!), await field.row(quick!)]
      expect([slowRow.status, quickRow.status]).toEqual(['SUCCESSFUL', 'SUCCESSFUL'])
      // SQLite has one writer at a time: there the outcome waits for the app's transaction.
      if (field.name !== 'sqlite')
        expect(quickRow.finishedAt!.getTime()).toBeLessThan(slowRow.finishedAt!.getTime())
      expect(field.events.filter(({ event }) => event === 'undone')).toHaveLength(1)
      expect(await field.rows()).toHaveLength(2)
      expect(worker.log).not.toMatch(/transaction|locked/)
    },
  )

  add(
    'F45 four workers and an app that writes without a pause share one file, and nobody hears of locks',
    async (field) => {
      const ids = await field.enqueue(
        'count',
        Array.from({ length: 400 }, () => []),
      )
      const busyness = writeAllTheTime(field)
      const workers = await Promise.all([1, 2, 3, 4].map(() => field.worker()))

      await field.finished(ids, 60_000)
      const writes = await busyness.stop()

      expect(ids.filter((id) => claimsOf(field.events, id).length !== 1)).toEqual([])
      expect(workers.map(({ log }) => log).join('')).not.toMatch(/SQLITE|locked/)
      // How many there are is the machine's; that it had its turn again and again is ours.
      expect(writes).toBeGreaterThan(5)
    },
    { on: ['sqlite'] },
  )

  add(
    'F47 while another process keeps the file to itself for two leases, a worker gives up what it cannot hold; all is done once in the end',
    async (field) => {
      const ids = await field.enqueue('second', [[60_000], [60_000]])
      const worker = await field.worker()
      await field.sees('start', 2)
      const file = new Sqlite(String(field.dataSource.options.database))
      file.exec('BEGIN IMMEDIATE')
      const locked = Date.now()

      const aborts = await field.sees('abort', 2)
      await sleep(Math.max(0, locked + 2 * LEASE - Date.now()))
      file.exec('ROLLBACK')
      file.close()
      await field.finished()

      expect(aborts.map(({ note }) => note)).toEqual(['LeaseLost', 'LeaseLost'])
      // No later than a lease after the last good renewal, which was at the latest when the lock came.
      expect(Math.max(...aborts.map(({ at }) => at)) - locked).toBeLessThan(LEASE + 500)
      await worker.says('lease not renewed in time')
      expect(ids.map((id) => claimsOf(field.events, id))).toEqual([
        [1, 2],
        [1, 2],
      ])
    },
    { on: ['sqlite'] },
  )

  add(
    "F49 tasks that take all connections of the app's pool for two leases cannot keep the worker from renewing",
    async (field) => {
      const ids = await field.enqueue(
        'hold',
        Array.from({ length: 6 }, () => [LEASE]),
      )
      await field.worker()
      await field.worker()

      await field.finished(ids, 40_000)

      expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
        ids.map(() => ['SUCCESSFUL', 1]),
      )
    },
    {
      on: ['postgres', 'mariadb', 'mysql'],
      app: { poolSize: 2, extra: { max: 2, connectionLimit: 2 } },
    },
  )

  add(
    'F58 a task of a transaction that commits late starts after the commit, one of a transaction that rolls back never',
    async (field) => {
      await field.worker()
      const other = await field.another()
      let committed = 0
      await other.transaction(async (manager) => {
        field.enqueued.push(...(await field.enqueue('count', [[]], { manager })))
        await sleep(1_500)
        committed = Date.now()
      })
      await other
        .transaction(async (manager) => {
          field.undone.push(...(await field.enqueue('count', [[]], { manager })))
          await sleep(500)
          throw new Error('back')
        })
        .catch(() => {})

      const [start] = await field.sees('start')
      expect(start!.at - committed).toBeGreaterThanOrEqual(0)
      expect(start!.at - committed).toBeLessThan(6_000)
      await field.finished()
      expect(await field.rows()).toHaveLength(1)
    },
  )
})

/** Locks a row from a session of its own; gives what frees it. */
async function lockRow(field: Field, id: string): Promise<() => Promise<void>> {
  const runner = (await field.another()).createQueryRunner()
  await runner.startTransaction()
  await runner.query(`SELECT id FROM db_task_result WHERE id = '${field.key(id)}' FOR UPDATE`)
  return async () => {
    await runner.rollbackTransaction()
    await runner.release()
  }
}

/** Locks the rows one after the other, in that order. */
async function crossing(field: Field, ids: readonly string[]): Promise<void> {
  const runner = (await field.another()).createQueryRunner()
  await runner.startTransaction()
  try {
    for (const id of ids) {
      await runner.query(`SELECT id FROM db_task_result WHERE id = '${field.key(id)}' FOR UPDATE`)
      await sleep(60)
    }
  } catch {
    // It was this one that the database chose to end.
  }
  await runner.rollbackTransaction()
  await runner.release()
}

/** An app's writes of 50 ms, one after the other. */
function writeAllTheTime(field: Field): { stop(): Promise<number> } {
  let isOver = false
  const file = new Sqlite(String(field.dataSource.options.database), { timeout: 0 })
  file.exec('CREATE TABLE app_note (text TEXT)')
  const loop = async (): Promise<number> => {
    let writes = 0
    for (; !isOver; await sleep(5)) {
      try {
        file.exec('BEGIN IMMEDIATE')
      } catch {
        continue
      }
      file.exec("INSERT INTO app_note VALUES ('x')")
      await sleep(50)
      file.exec('COMMIT')
      writes++
    }
    file.close()
    return writes
  }
  const done = loop()
  return {
    stop: () => {
      isOver = true
      return done
    },
  }
}
