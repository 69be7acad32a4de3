import { join } from 'node:path'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE, restartDelays, TAKEOVER_BOUND } from './kit/timing'
import type { Ended, WorkerProcess } from './kit/worker-process'

const CRASH_POINT = join(__dirname, 'kit/crash-point.cjs')

scenarios((add, { name }) => {
  add('F1 ten tasks of a killed worker run again in time, and are recorded once', async (field) => {
    const ids = await field.enqueue(
      'sleep',
      // Until the second worker is there, which takes seconds where much else starts.
      Array.from({ length: 10 }, () => [9_000]),
    )
    const worker = await field.worker()
    await field.sees('start', 10)
    await field.worker()

    const killed = kill(worker)
    await field.finished()

    const { events } = field
    expect(Math.max(...restartDelays(events, killed))).toBeLessThan(TAKEOVER_BOUND)
    expect(ids.map((id) => [claimsOf(events, id), claimsOf(events, id, 'end')])).toEqual(
      ids.map(() => [[1, 2], [2]]),
    )
    expect(
      (await field.rows()).map(({ status, workerIds, attemptErrors }) => [
        status,
        workerIds,
        attemptErrors?.map(({ exceptionClassPath }) => exceptionClassPath),
      ]),
    ).toEqual(ids.map(() => ['SUCCESSFUL', ['w1', 'w2'], ['typeorm_tasks.WorkerLost']]))
  })

  add(
    'F2 a worker that comes back under the name of a killed one gets nothing before the lease has ended',
    async (field) => {
      const [id] = await field.enqueue('sleep', [[500, 'long enough to be killed']])
      const crashing = { preload: CRASH_POINT, env: { CRASH_AT: 'returned' } }
      const worker = await field.worker(['--worker-id', 'same'], crashing)
      expect(await worker.ended).toEqual({ code: null, signal: 'SIGKILL' })
      const killed = Date.now()

      await field.worker(['--worker-id', 'same'])
      await field.finished()

      const [again] = restartDelays(field.events, killed)
      expect(again).toBeLessThan(TAKEOVER_BOUND)
      expect(await field.row(id!)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        workerIds: ['same', 'same'],
      })
    },
  )

  add(
    'F3 a worker that dies between claim and start: the task starts once, elsewhere',
    async (field) => {
      const { id, killed } = await crashedAt(field, 'claimed', 'count')
      await field.finished()

      expect(claimsOf(field.events, id)).toEqual([2])
      expect(Math.max(...restartDelays(field.events, killed))).toBeLessThan(TAKEOVER_BOUND)
      expect(await field.row(id)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        workerIds: ['w1', 'w2'],
      })
      return { unstarted: true }
    },
  )

  add(
    'F4 a worker that dies between the return of a task and its record: the effect happens twice and is recorded once',
    async (field) => {
      const { id } = await crashedAt(field, 'returned', 'count')
      await field.finished()

      expect(claimsOf(field.events, id, 'effect')).toEqual([1, 2])
      expect(await field.row(id)).toMatchObject({
        status: 'SUCCESSFUL',
        claims: 2,
        returnValue: { claim: 2, value: null },
      })
    },
  )

  add(
    'F5 a worker that dies before it hears that the outcome is stored: the task ends once, run once or twice',
    async (field) => {
      const { id } = await crashedAt(field, 'finishing', 'count')
      await field.finished()

      const row = await field.row(id)
      expect(row.status).toBe('SUCCESSFUL')
      expect(claimsOf(field.events, id)).toEqual(
        name === 'sqlite' || row.claims === 1 ? [1] : [1, 2],
      )
    },
  )

  add(
    'F6 a worker that dies while it renews a lease: the task runs again in time',
    async (field) => {
      const { id, killed } = await crashedAt(field, 'renewing', 'sleep', [2_500])
      await field.finished()

      expect(await field.row(id)).toMatchObject({ status: 'SUCCESSFUL', claims: 2 })
      expect(Math.max(...restartDelays(field.events, killed))).toBeLessThan(TAKEOVER_BOUND)
    },
  )

  add(
    'F7 a task that kills its workers is FAILED after three of them, and the others run',
    async (field) => {
      const [poison] = await field.enqueue('poison', [['kill']])
      // One at a time: what runs beside a poison dies with it, as F9 shows.
      const deaths = superviseUntil(field, poison!, { args: ['--concurrency', '1'] })
      const others = await field.enqueue('count', [[], [], []])

      expect(await deaths).toEqual([1, 2, 3].map(() => ({ code: null, signal: 'SIGKILL' })))

      await field.finished(others)
      const row = await field.row(poison!)
      expect(row).toMatchObject({
        status: 'FAILED',
        claims: 3,
        exceptionClassPath: 'typeorm_tasks.WorkerLost',
        attemptErrors: [
          { exceptionClassPath: 'typeorm_tasks.WorkerLost' },
          { exceptionClassPath: 'typeorm_tasks.WorkerLost' },
        ],
      })
      expect(row.traceback).toMatch(/The worker w\d+ was lost/)
      expect(row.workerIds).toHaveLength(3)
      // One that was prefetched behind the poison is claimed by a worker that never starts it.
      return { unstarted: true }
    },
  )

  const deaths: [
    string,
    string,
    readonly string[],
    (ended: { code: number | null; signal: string | null }) => boolean,
  ][] = [
    ['process.exit(0)', 'exit', [], ({ code }) => code !== 0],
    ['process.abort()', 'abort', [], ({ signal }) => signal === 'SIGABRT'],
    [
      'running out of memory',
      'heap',
      ['--max-old-space-size=64'],
      ({ code, signal }) => code !== 0 || signal !== null,
    ],
  ]
  for (const [what, how, node, isRight] of deaths)
    add(
      `F8 ${what} in a task is never a success, and after two workers it is FAILED`,
      async (field) => {
        const [poison] = await field.enqueue('poison', [[how]])
        const ended = await superviseUntil(field, poison!, { node })

        expect(ended.filter((each) => !isRight(each))).toEqual([])
        expect(ended).toHaveLength(2)
        expect(await field.row(poison!)).toMatchObject({
          status: 'FAILED',
          claims: 2,
          exceptionClassPath: 'typeorm_tasks.WorkerLost',
        })
      },
      { settings: { maxCrashes: 2 } },
    )

  add('F9 three tasks beside one that kills their worker run again and succeed', async (field) => {
    const innocents = await field.enqueue('sleep', [[2_000], [2_000], [2_000]])
    const [poison] = await field.enqueue('poison', [['kill', 1, 800]])
    await field.worker()
    await field.sees('start', 4)
    await field.worker()

    await field.finished()

    expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
      [...innocents, poison].map(() => ['SUCCESSFUL', 2]),
    )
  })

  add(
    'F73 tasks at hand when a task kills its workers are not FAILED with it, nor without having begun',
    async (field) => {
      const before = await field.enqueue(
        'sleep',
        Array.from({ length: 4 }, () => [300]),
      )
      const [poison] = await field.enqueue('poison', [['kill', 99, 150]])
      const after = await field.enqueue(
        'sleep',
        Array.from({ length: 8 }, () => [300]),
      )

      await superviseUntil(field, poison!, {})
      await field.worker()
      await field.finished()

      expect(await field.row(poison!)).toMatchObject({ status: 'FAILED' })
      const innocents = await Promise.all([...before, ...after].map((id) => field.row(id)))
      expect(innocents.map(({ status }) => status)).toEqual(innocents.map(() => 'SUCCESSFUL'))
    },
    // What the worker does is the same everywhere, and takes half a minute.
    { settings: { maxCrashes: 2 }, on: ['sqlite', 'postgres'] },
  )
})

/** SIGKILL, and when. */
function kill(worker: WorkerProcess): number {
  worker.kill('SIGKILL')
  return Date.now()
}

/** A task whose first worker kills itself at that point; a second worker is there to go on. */
async function crashedAt(
  field: Field,
  point: string,
  task: string,
  args: unknown[] = [],
): Promise<{ id: string; killed: number }> {
  const [id] = await field.enqueue(task, [args])
  const worker = await field.worker([], { preload: CRASH_POINT, env: { CRASH_AT: point } })
  expect(await worker.ended).toEqual({ code: null, signal: 'SIGKILL' })
  const killed = Date.now()
  await field.worker()
  return { id: id!, killed }
}

/** Starts a worker whenever there is none, until the row has ended; gives how the dead ones ended. */
async function superviseUntil(
  field: Field,
  id: string,
  { args = [], node = [] }: { args?: readonly string[]; node?: readonly string[] },
): Promise<Ended[]> {
  const ended: Ended[] = []
  for (let tries = 0; tries < 12; tries++) {
    const worker = await field.worker(args, { node })
    const end = await Promise.race([
      worker.ended,
      field.finished([id], LEASE * 10).then(
        () => undefined,
        () => undefined,
      ),
    ])
    if (end === undefined) return ended
    ended.push(end)
  }
  throw new Error(`The row did not end: ${JSON.stringify(ended)}`)
}
