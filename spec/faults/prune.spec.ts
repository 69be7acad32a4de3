import { setTimeout as sleep } from 'node:timers/promises'
import { DBTaskResult } from '#entities'
import { readyRow } from '../support/row-values'
import { Command } from './kit/command'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { until } from './kit/until'

const TEN_DAYS_AGO = new Date(Date.now() - 10 * 24 * 60 * 60 * 1000)
const PRUNE = ['prune_db_task_results', '--queue-name', '*', '--min-age-days', '5']

scenarios((add) => {
  add(
    'F61 pruning while tasks come and go takes old results only, holds up no claim, and can be killed and run again',
    async (field) => {
      const old = await finishedLongAgo(field, 30_000)
      await field.worker()
      await field.worker()
      const feed = feedOf(field)
      await sleep(500)

      const first = new Command(field.root, ...PRUNE)
      await until(
        async () => (await left(field)) < 30_000,
        20_000,
        () => `rows to be deleted; ${first.said}`,
      )
      first.kill()
      await first.ended
      // What it had sent before it was killed, the server still does.
      await sleep(500)
      const halfWay = await left(field)
      const { code, said } = await new Command(field.root, ...PRUNE).ended
      const ids = await feed.stop()
      await field.finished(ids)

      expect({ code, said: said.trim() }).toEqual({
        code: 0,
        said: `Deleted ${halfWay} task result(s)`,
      })
      expect(halfWay).toBeGreaterThan(0)
      const rows = await field.rows()
      expect(rows.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
      // A look for work happens each 200 ms, and no claim may wait longer than a second on top of that.
      expect(
        Math.max(
          ...rows.map(({ enqueuedAt, startedAt }) => startedAt!.getTime() - enqueuedAt.getTime()),
        ),
      ).toBeLessThan(1_200)
      expect(ids.length).toBeGreaterThan(100)
      return { tampered: old }
    },
  )

  add('F62 two prunes at once delete each row once, and count it once', async (field) => {
    const old = await finishedLongAgo(field, 3_000)

    const ends = await Promise.all([
      new Command(field.root, ...PRUNE).ended,
      new Command(field.root, ...PRUNE).ended,
    ])

    expect(ends.map(({ code }) => code)).toEqual([0, 0])
    const counts = ends.map(({ said }) =>
      Number(/^Deleted (\d+) task result\(s\)$/.exec(said.trim())?.[1]),
    )
    expect(counts[0]! + counts[1]!).toBe(3_000)
    expect(await field.rows()).toEqual([])
    return { tampered: old }
  })

  add(
    'F62 workers that look for lost tasks all at once take each of 250 over once',
    async (field) => {
      const ids = await field.enqueue(
        'count',
        Array.from({ length: 250 }, () => []),
      )
      const past = {
        sqlite: "'2026-01-01 00:00:00.000000'",
        postgres: "'2026-01-01 00:00:00+00'",
        mariadb: "'2026-01-01 00:00:00'",
        mysql: "'2026-01-01 00:00:00'",
      }[field.name]
      await field.dataSource.query(
        `UPDATE db_task_result SET status = 'RUNNING', claims = 1, worker_ids = '["gone"]', started_at = enqueued_at, lease_until = ${past}`,
      )

      const workers = await Promise.all([1, 2, 3].map(() => field.worker()))
      await field.finished(ids)

      const told = workers.flatMap(({ log }) =>
        [...log.matchAll(/Task id=(\S+) lost its worker/g)].map(([, id]) => id!),
      )
      expect(told.toSorted()).toEqual(ids.toSorted())
      expect(
        (await field.rows()).filter(
          ({ claims, attemptErrors }) => claims !== 2 || attemptErrors?.length !== 1,
        ),
      ).toEqual([])
      expect(workers.map(({ log }) => log).join('')).not.toMatch(/Could not|did not answer/)
      return { unstarted: true }
    },
  )
})

/** Rows of tasks that ended ten days ago; nobody enqueued them here. */
async function finishedLongAgo(field: Field, howMany: number): Promise<string[]> {
  const rows = Array.from({ length: howMany }, () =>
    readyRow({
      status: 'SUCCESSFUL',
      startedAt: TEN_DAYS_AGO,
      finishedAt: TEN_DAYS_AGO,
      enqueuedAt: TEN_DAYS_AGO,
      workerIds: ['old'],
    }),
  )
  for (let at = 0; at < howMany; at += 500)
    await field.dataSource.getRepository(DBTaskResult).insert(rows.slice(at, at + 500) as object[])
  return rows.map(({ id }) => id)
}

async function left(field: Field): Promise<number> {
  return field.dataSource.getRepository(DBTaskResult).countBy({ finishedAt: TEN_DAYS_AGO })
}

/** Enqueues tasks all the time, on a connection of its own; gives their ids in the end. */
function feedOf(field: Field): { stop(): Promise<string[]> } {
  let isOver = false
  const ids: string[] = []
  const loop = async (): Promise<string[]> => {
    for (; !isOver; await sleep(50))
      ids.push(
        ...(await field.enqueue(
          'count',
          Array.from({ length: 5 }, () => []),
        )),
      )
    return ids
  }
  const done = loop()
  return {
    stop: () => {
      isOver = true
      return done
    },
  }
}
