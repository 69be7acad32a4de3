import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { scenarios } from './kit/scenario'
import { claimsOf } from './kit/timing'

scenarios((add) => {
  add(
    'F10 an idle worker ends at once upon SIGTERM or SIGINT, and changes nothing',
    async (field) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        const worker = await field.worker()
        await sleep(300)
        const before = performance.now()
        worker.kill(signal)

        expect(await worker.ended).toEqual({ code: 0, signal: null })
        expect(performance.now() - before).toBeLessThan(1_000)
      }
      expect((await field.history()).changes).toEqual([])
    },
  )

  add('F11 a worker that is told to stop finishes its task and takes no other', async (field) => {
    const [first, second] = await field.enqueue('sleep', [[1_000], [1]])
    const worker = await field.worker(['--concurrency', '1', '--shutdown-timeout', '3'])
    await field.sees('start')

    worker.kill('SIGTERM')

    expect(await worker.ended).toEqual({ code: 0, signal: null })
    expect(await field.row(first!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
    expect(await field.row(second!)).toMatchObject({ status: 'READY', claims: 0 })
  })

  const reactions: [string, string, object, object][] = [
    [
      'gives up is given back, and not counted',
      'reason',
      { status: 'READY', workerIds: [], claims: 1, attemptErrors: null },
      { event: 'abort', note: 'WorkerStops' },
    ],
    [
      'fails for a reason of its own is FAILED',
      'boom',
      { status: 'FAILED', exceptionClassPath: 'RangeError', claims: 1 },
      { event: 'abort', note: 'WorkerStops' },
    ],
    [
      'ends well is SUCCESSFUL',
      'return',
      { status: 'SUCCESSFUL', returnValue: { claim: 1, value: 'ended early' } },
      { event: 'abort', note: 'WorkerStops' },
    ],
  ]
  for (const [what, reaction, row, event] of reactions)
    add(`F12 a task that hears its signal at a stop and ${what}`, async (field) => {
      const [id] = await field.enqueue('listen', [[60_000, reaction]])
      const worker = await field.worker(['--shutdown-timeout', '0.5'])
      await field.sees('start')
      const before = performance.now()

      worker.kill('SIGTERM')

      expect(await worker.ended).toEqual({ code: 0, signal: null })
      expect(performance.now() - before).toBeLessThan(2_000)
      expect(await field.row(id!)).toMatchObject(row)
      expect(field.events).toContainEqual(expect.objectContaining(event))
    })

  add(
    'F13 a task that does not hear its signal is given back, and another worker starts it without waiting for the lease',
    async (field) => {
      const [id] = await field.enqueue('second', [[60_000]])
      const worker = await field.worker(['--shutdown-timeout', '0.5'])
      await field.sees('start')
      await field.worker()

      worker.kill('SIGTERM')

      expect(await worker.ended).toEqual({ code: 1, signal: null })
      const gone = Date.now()
      const starts = await field.sees('start', 2)
      expect(starts[1]!.at - gone).toBeLessThan(1_200)
      await field.finished()
      expect(worker.log).toContain(
        `Task id=${id} path=fault.second has not finished and is given back`,
      )
      expect(claimsOf(field.events, id!)).toEqual([1, 2])
    },
  )

  add(
    'F14 SIGINT twice: the worker leaves at once with 130, and nothing is recorded for its task',
    async (field) => {
      const [id] = await field.enqueue('sleep', [[60_000]])
      const worker = await field.worker()
      await field.sees('start')
      worker.kill('SIGINT')
      await sleep(200)
      const before = performance.now()

      worker.kill('SIGINT')

      expect(await worker.ended).toEqual({ code: 130, signal: null })
      expect(performance.now() - before).toBeLessThan(1_500)
      expect(['READY', 'RUNNING']).toContain((await field.row(id!)).status)
      return { running: true }
    },
  )

  add('F15 five SIGTERMs are one', async (field) => {
    const [id] = await field.enqueue('sleep', [[1_500]])
    const worker = await field.worker()
    await field.sees('start')

    for (const _ of [1, 2, 3, 4, 5]) {
      worker.kill('SIGTERM')
      await sleep(100)
    }

    expect(await worker.ended).toEqual({ code: 0, signal: null })
    expect(worker.log.match(/shutting down/g)).toHaveLength(1)
    expect(await field.row(id!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
  })

  add(
    'F16 a worker that is told to stop between claim and start gives the rows back, not run and not counted',
    async (field) => {
      const ids = await field.enqueue('sleep', [[60_000], [60_000]])
      const worker = field.start(['--shutdown-timeout', '60'], {
        preload: join(__dirname, 'kit/early-signal.cjs'),
      })
      const before = performance.now()

      expect(await worker.ended).toEqual({ code: 0, signal: null })

      expect(performance.now() - before).toBeLessThan(50_000)
      expect(field.events).toEqual([])
      expect((await field.rows()).map(({ status, workerIds }) => [status, workerIds])).toEqual(
        ids.map(() => ['READY', []]),
      )
    },
  )

  add(
    'F24 a task that takes all listeners away cannot keep its worker from stopping',
    async (field) => {
      const [id] = await field.enqueue('unlisten', [[1_000]])
      const worker = await field.worker()
      await field.sees('start')
      await sleep(200)

      worker.kill('SIGTERM')

      expect(await worker.ended).toEqual({ code: 0, signal: null })
      expect((await field.row(id!)).status).toBe('SUCCESSFUL')
    },
  )
})
