import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE } from './kit/timing'
import { until } from './kit/until'

scenarios((add, { name }) => {
  add(
    'F56 rows that somebody wrote badly end FAILED or are left alone, and stop no worker',
    async (field) => {
      const bad = await field.enqueue(
        'count',
        Array.from({ length: 4 }, () => []),
      )
      const [unknown] = await field.enqueue('count', [[]], { priority: 5 })
      const json = (text: string): string =>
        name === 'postgres' ? `'${text}'::jsonb` : `'${text}'`
      const sets = [
        `args_kwargs = ${json('[]')}`,
        `args_kwargs = ${json('null')}`,
        `worker_ids = ${json('null')}`,
        `args_kwargs = ${json('{"args": 7, "kwargs": {}}')}`,
      ]
      for (const [i, set] of sets.entries()) await tamper(field, bad[i]!, set)
      await tamper(field, unknown!, "status = 'PAUSED'")
      const [sound] = await field.enqueue('count')
      const worker = await field.worker()

      await field.finished([...bad, sound!])
      await sleep(1_000)

      expect(
        (await Promise.all(bad.map((id) => field.row(id)))).map(
          ({ status, exceptionClassPath }) => [status, exceptionClassPath],
        ),
      ).toEqual(bad.map(() => ['FAILED', 'typeorm_tasks.MalformedRowError']))
      expect((await field.row(sound!)).status).toBe('SUCCESSFUL')
      expect((await field.row(unknown!)).status).toBe('PAUSED')
      expect(worker.log.match(/state=FAILED/g)).toHaveLength(bad.length)
      return { tampered: [...bad, unknown!], unstarted: true }
    },
  )

  add('F57 a task that no worker here knows waits, uncounted, for one that does', async (field) => {
    const [id] = await field.enqueue('cuont')
    const workers = [await field.worker(), await field.worker()]
    await until(
      () => workers.some(({ log }) => log.includes('is not defined in this process')),
      30_000,
      () => 'a warning',
    )
    await sleep(1_500)

    expect(await field.row(id!)).toMatchObject({ attemptErrors: null, exceptionClassPath: '' })
    // The next version of the app, whose workers come last, and take the place of the others.
    writeFileSync(
      join(field.root, 'cuont.tasks.js'),
      "require('typeorm-tasks').task('fault.cuont', () => 'known')",
    )
    await field.worker()
    await Promise.all(workers.map((worker) => worker.stop()))
    await field.finished()

    expect(await field.row(id!)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 'known' })
    return { unstarted: true }
  })

  add(
    'F60 a row that is deleted while it runs stops its run, and does not come back',
    async (field) => {
      const [id] = await field.enqueue('listen', [[60_000]])
      const worker = await field.worker()
      await field.sees('start')

      await field.dataSource.query(`DELETE FROM db_task_result WHERE id = ${idText(field, id!)}`)

      const [abort] = await field.sees('abort', 1, LEASE)
      expect(abort).toMatchObject({ id, note: 'LeaseLost' })
      await worker.says('is discarded')
      expect(await field.rows()).toEqual([])
      return { tampered: [id!] }
    },
  )

  add(
    'F60 a row that is marked as FAILED by hand while it runs stops its run, and stays as it was marked',
    async (field) => {
      const [id] = await field.enqueue('stubborn', [[2_500]])
      const worker = await field.worker()
      await field.sees('start')

      await field.tamper(id!, {
        status: 'FAILED',
        exceptionClassPath: 'by.hand',
        traceback: 'by hand\n',
      })

      await field.sees('abort', 1, LEASE)
      await field.sees('end')
      await worker.says('is discarded')
      expect(await field.row(id!)).toMatchObject({
        status: 'FAILED',
        exceptionClassPath: 'by.hand',
        returnValue: null,
      })
      return { tampered: [id!] }
    },
  )

  add('a waiting task that is cancelled is FAILED at once, and never starts', async (field) => {
    const [id] = await field.enqueue('count')

    await (await field.result(id!)).cancel()
    await field.worker()
    await sleep(1_000)

    expect(await field.row(id!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.TaskCancelled',
      claims: 0,
    })
    expect(field.events).toEqual([])
  })

  add(
    'a running task that is cancelled hears it within a renewal, in whatever process it runs, and ends FAILED as cancelled',
    async (field) => {
      const ids = [
        ...(await field.enqueue('listen', [[60_000], [60_000, 'return']])),
        ...(await field.enqueue('stubborn', [[60_000]])),
      ]
      await field.worker()
      await field.sees('start', 3)
      const asked = Date.now()

      await Promise.all(ids.map(async (id) => (await field.result(id)).cancel()))
      await field.finished()

      const aborts = field.events.filter(({ event }) => event === 'abort')
      expect(aborts.map(({ note }) => note)).toEqual(Array(3).fill('TaskCancelled'))
      expect(Math.max(...aborts.map(({ at }) => at)) - asked).toBeLessThan(LEASE / 3 + 500)
      expect(
        (await field.rows()).map(({ status, exceptionClassPath, claims }) => [
          status,
          exceptionClassPath,
          claims,
        ]),
      ).toEqual(ids.map(() => ['FAILED', 'typeorm_tasks.TaskCancelled', 1]))
    },
  )

  add(
    'a task that is cancelled in the moment when it ends is either a success or cancelled, and stays it',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 30 }, (_, i) => [300 + 10 * i]),
      )
      await field.worker(['--concurrency', '30'])
      await field.sees('start', 30)

      for (const [i, id] of ids.entries()) {
        await sleep(i === 0 ? 100 : 5)
        await (await field.result(id)).cancel()
      }
      await field.finished()

      const ends = new Set(
        (await field.rows()).map(({ status, exceptionClassPath }) =>
          `${status} ${exceptionClassPath}`.trim(),
        ),
      )
      expect(
        [...ends].filter(
          (end) => !['SUCCESSFUL', 'FAILED typeorm_tasks.TaskCancelled'].includes(end),
        ),
      ).toEqual([])
    },
  )

  add(
    'F63 a takeover that meets the end of the run it takes over: exactly one of them counts',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 12 }, (_, i) => [700 + 60 * i]),
      )
      const slow = await field.worker(['--concurrency', '12'])
      await field.sees('start', 12)
      await field.worker()

      // Rows run out of their lease, by hand, just when their runs end.
      for (const id of ids) {
        await field.dataSource.query(
          `UPDATE db_task_result SET lease_until = ${longAgo(field)} WHERE id = ${idText(field, id)} AND status = 'RUNNING' AND claims = 1`,
        )
        await sleep(45)
      }
      await field.finished()

      const rows = await field.rows()
      expect(rows.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESSFUL'))
      const { events } = field
      expect(rows.filter(({ id, claims }) => claimsOf(events, id).length !== claims)).toEqual([])
      expect(slow.isOver).toBe(false)
    },
  )
})

async function tamper(field: Field, id: string, set: string): Promise<void> {
  await field.dataSource.query(`UPDATE db_task_result SET ${set} WHERE id = ${idText(field, id)}`)
}

function idText(field: Field, id: string): string {
  return `'${field.key(id)}'`
}

function longAgo({ name }: Field): string {
  return `'2026-01-01 00:00:00${name === 'postgres' ? '+00' : ''}'`
}
