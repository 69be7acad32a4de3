import { existsSync, readFileSync } from 'node:fs'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE, TAKEOVER_BOUND } from './kit/timing'
import { until } from './kit/until'
import type { WorkerProcess } from './kit/worker-process'

scenarios((add) => {
  add(
    'F21 a task that loops for ever is killed at its time limit, and meanwhile twenty others are done',
    async (field) => {
      const worker = await field.worker()
      const pid = await warmUp(field, worker)
      const [loop] = await field.enqueue('apart.loop', [[]], { timeLimit: 8_000 })
      await field.sees('start', 2)

      const others = await field.enqueue(
        'sleep',
        Array.from({ length: 20 }, () => [50]),
      )
      await field.finished(others)
      expect((await field.row(loop!)).status).toBe('RUNNING')
      await field.finished()

      expect((await field.rows()).filter(({ status }) => status === 'SUCCESSFUL')).toHaveLength(21)
      expect(await field.row(loop!)).toMatchObject({
        status: 'FAILED',
        claims: 1,
        exceptionClassPath: 'typeorm_tasks.TimeLimitExceeded',
      })
      expect(pidOf(field, loop!)).toEqual([pid])
      expect(isAlive(pid)).toBe(false)
    },
  )

  add(
    'F20 a task that computes for three leases, with another worker there, is not taken over',
    async (field) => {
      const [id] = await field.enqueue('apart.block', [[3 * LEASE]])
      await field.worker()
      await field.sees('start')
      await field.worker()

      await field.finished()

      expect(await field.row(id!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 1,
        workerIds: ['w1'],
        attemptErrors: null,
      })
    },
  )

  const deaths: [string, string, string | RegExp][] = [
    ['process.exit(0)', 'exit', 'exit code 0'],
    ['process.abort()', 'abort', 'SIGABRT'],
    ['running out of memory', 'heap', /SIGABRT|SIGTRAP|exit code \d+/],
    ['SIGKILL', 'kill', 'SIGKILL'],
  ]
  for (const [what, how, told] of deaths)
    add(`F8 ${what} in a task fails that task alone`, async (field) => {
      const innocents = [
        ...(await field.enqueue('sleep', [[3_000], [3_000]])),
        ...(await field.enqueue('apart.sleep', [[2_000]])),
      ]
      const [poison] = await field.enqueue('apart.poison', [[how, 9, 500]])
      const worker = await field.worker([], { node: ['--max-old-space-size=96'] })

      await field.finished()

      const row = await field.row(poison!)
      expect(row).toMatchObject({
        status: 'FAILED',
        claims: 1,
        exceptionClassPath: 'typeorm_tasks.ProcessLost',
      })
      expect(row.traceback.split('\n')[0]).toMatch(told)
      for (const id of innocents)
        expect(await field.row(id)).toMatchObject({
          status: 'SUCCESSFUL',
          claims: 1,
          attemptErrors: null,
        })
      expect(worker.isOver).toBe(false)
      return { code: 0 }
    })

  add(
    'F9 three tasks beside one that kills its process notice nothing, and it is tried again as its policy says',
    async (field) => {
      const innocents = [
        ...(await field.enqueue('sleep', [[2_500], [2_500]])),
        ...(await field.enqueue('apart.sleep', [[2_500]])),
      ]
      const [poison] = await field.enqueue('apart.poison', [['kill', 1, 500]], {
        retry: { maxAttempts: 2, delay: 100 },
      })
      const [once] = await field.enqueue('apart.poison', [['kill', 1, 500]], {
        retry: { maxAttempts: 2, delay: 100 },
        rerunAfterCrash: false,
      })
      await field.worker()

      await field.finished()

      for (const id of innocents)
        expect(await field.row(id)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
      expect(await field.row(poison!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        attemptErrors: [{ exceptionClassPath: 'typeorm_tasks.ProcessLost' }],
      })
      expect(await field.row(once!)).toMatchObject({
        status: 'FAILED',
        claims: 1,
        exceptionClassPath: 'typeorm_tasks.ProcessLost',
      })
    },
  )

  add(
    'a process is used for one task after the other, and another is in its place when it died',
    async (field) => {
      const worker = await field.worker(['--concurrency', '1'])
      const ids: string[] = []
      for (const [name, args] of [
        ['pid', []],
        ['pid', []],
        ['poison', ['exit']],
        ['pid', []],
        ['stray', [200]],
      ] as const) {
        ids.push(...(await field.enqueue(`apart.${name}`, [[...args]])))
        await field.finished()
      }
      await worker.says(
        /The child process \d+ ended while it was idle: exit code 1, after RangeError: nobody catches this/,
      )
      ids.push(...(await field.enqueue('apart.pid')))
      await field.finished()

      const [a, b, c, d, e, f] = ids.map((id) => pidOf(field, id)[0])
      expect([b, c, d === c, e === d, f === e]).toEqual([a, a, false, true, false])
      expect([a, d].filter((pid) => isAlive(pid!))).toEqual([])
      expect(a).not.toBe(worker.pid)
    },
  )

  add(
    'a late error of an earlier task, also a rejection, is no failure of the one that runs then',
    async (field) => {
      await field.worker(['--concurrency', '1'])
      await field.enqueue('apart.stray', [
        [1_000, 'throws'],
        [1_000, 'rejects'],
      ])
      for (let round = 0; round < 2; round++) await field.enqueue('apart.sleep', [[2_000]])
      await field.finished()

      const rows = await field.rows()
      expect(rows.map(({ status }) => status)).toEqual(rows.map(() => 'SUCCESSFUL'))
      const errors = rows.flatMap(({ attemptErrors }) => attemptErrors ?? [])
      expect(errors.length).toBeGreaterThan(0)
      for (const error of errors)
        expect(error).toMatchObject({
          exceptionClassPath: 'typeorm_tasks.ProcessLost',
          crash: true,
          traceback: expect.stringContaining('after RangeError: nobody catches this'),
        })
    },
  )

  add(
    'a task is given another process when what an earlier one left behind blocks its own',
    async (field) => {
      await field.worker(['--concurrency', '1'])
      const [clog] = await field.enqueue('apart.clog', [[100]])
      await field.finished()
      await new Promise((wake) => setTimeout(wake, 300))

      const [next] = await field.enqueue('apart.pid', [[]], { timeLimit: 2_000 })
      await field.finished()

      expect(await field.row(next!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
      expect(pidOf(field, next!)).not.toEqual(pidOf(field, clog!))
      expect(isAlive(pidOf(field, clog!)[0]!)).toBe(false)
    },
  )

  add(
    'a killed worker leaves no process behind, not even a busy one, before its task runs again elsewhere',
    async (field) => {
      const [busy, idle] = [await field.enqueue('apart.loopOnce'), await field.enqueue('apart.pid')]
      const worker = await field.worker()
      await field.finished(idle)
      await field.sees('start', 2)
      const pids = [...pidOf(field, busy[0]!), ...pidOf(field, idle[0]!)]
      expect(pids.map(isAlive)).toEqual([true, true])
      await field.worker()

      worker.kill('SIGKILL')
      await until(
        () => !pids.some(isAlive),
        5_000,
        () => `the processes ${pids.join(', ')} to end`,
      )
      const gone = Date.now()
      await field.finished(undefined, TAKEOVER_BOUND + 5_000)

      expect(await field.row(busy[0]!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        workerIds: ['w1', 'w2'],
      })
      expect(
        field.events.find(
          ({ id, event, claim }) => id === busy[0] && event === 'start' && claim === 2,
        )!.at,
      ).toBeGreaterThan(gone)
    },
  )

  add('a run that does not end at a stop is killed, and then given back', async (field) => {
    const [id] = await field.enqueue('apart.loopOnce')
    const worker = await field.worker(['--shutdown-timeout', '0.5'])
    const { pid } = (await field.sees('start'))[0]!
    await field.worker()

    worker.kill('SIGTERM')
    const starts = await field.sees('start', 2)

    expect(isAlive(pid)).toBe(false)
    expect(await worker.ended).toEqual({ code: 1, signal: null })
    await field.finished()
    expect(starts[1]!.pid).not.toBe(pid)
    expect(claimsOf(field.events, id!, 'end')).toEqual([2])
    expect(await field.row(id!)).toMatchObject({
      status: 'SUCCESSFUL',
      claims: 2,
      workerIds: ['w2'],
      attemptErrors: null,
    })
  })

  add(
    'a signal that the terminal sends to all is left to the worker: what runs may finish',
    async (field) => {
      const [id] = await field.enqueue('apart.sleep', [[2_000]])
      const worker = await field.worker()
      await field.sees('start')

      process.kill(-worker.pid, 'SIGINT')

      expect(await worker.ended).toEqual({ code: 0, signal: null })
      expect(await field.row(id!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
    },
  )

  add('a second Ctrl+C ends the processes with the worker', async (field) => {
    const [id] = await field.enqueue('apart.loop')
    const worker = await field.worker()
    const { pid } = (await field.sees('start'))[0]!
    worker.kill('SIGINT')
    await worker.says('shutting down gracefully')

    worker.kill('SIGINT')

    expect(await worker.ended).toEqual({ code: 130, signal: null })
    expect(isAlive(pid)).toBe(false)
    expect(await field.row(id!)).toMatchObject({ status: 'READY', workerIds: [] })
  })

  add(
    'a task hears in its process why it shall stop, and its progress is seen from outside',
    async (field) => {
      const [cancelled] = await field.enqueue('apart.listen', [[60_000]])
      const [limited] = await field.enqueue('apart.listen', [[60_000]], { timeLimit: 2_000 })
      await field.worker()
      await field.sees('start', 2)
      await until(
        async () => (await field.row(cancelled!)).progress !== null,
        5_000,
        () => 'progress',
      )

      expect((await field.row(cancelled!)).progress).toEqual({ done: 1, total: 2, note: 'apart' })
      await (await field.result(cancelled!)).cancel()
      await field.finished()

      expect(
        Object.fromEntries(
          field.events.filter(({ event }) => event === 'abort').map(({ id, note }) => [id, note]),
        ),
      ).toEqual({ [cancelled!]: 'TaskCancelled', [limited!]: 'TimeLimitExceeded' })
      expect(await field.row(cancelled!)).toMatchObject({
        status: 'FAILED',
        exceptionClassPath: 'typeorm_tasks.TaskCancelled',
      })
      expect(await field.row(limited!)).toMatchObject({
        status: 'FAILED',
        exceptionClassPath: 'typeorm_tasks.TimeLimitExceeded',
      })
    },
  )

  add(
    'a transaction in a process of its own commits with its row; one that is killed leaves nothing',
    async (field) => {
      await field.dataSource.query('CREATE TABLE fault_effects (task_id varchar(64) NOT NULL)')
      const [good] = await field.enqueue('apart.transfer')
      const [killed] = await field.enqueue('apart.transfer', [[1]], {
        retry: { maxAttempts: 2, delay: 100 },
      })
      const worker = await field.worker()

      await field.finished()

      expect(await field.row(good!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
      expect(await field.row(killed!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        attemptErrors: [{ exceptionClassPath: 'typeorm_tasks.ProcessLost' }],
      })
      const effects = (await field.dataSource.query('SELECT task_id FROM fault_effects')) as {
        task_id: string
      }[]
      expect(effects.map(({ task_id }) => task_id).toSorted()).toEqual([good!, killed!].toSorted())
      expect(worker.log).not.toContain('taken over')
    },
  )
})

/** Has a process made, and its connections opened, so that times do not measure that; gives its id. */
async function warmUp(field: Field, worker: WorkerProcess): Promise<number> {
  const [id] = await field.enqueue('apart.pid')
  await field.finished()
  expect(pidOf(field, id!)).not.toEqual([worker.pid])
  return pidOf(field, id!)[0]!
}

/** The processes that a task started in. */
function pidOf(field: Field, task: string): number[] {
  return field.events
    .filter(({ id, event }) => id === task && event === 'start')
    .map(({ pid }) => pid)
}

/** A process that nobody has waited for after its end is still listed. */
function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`
  if (existsSync('/proc/self/stat'))
    return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'utf8'))
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
