import { scenarios } from './kit/scenario'
import { claimsOf, LEASE } from './kit/timing'

scenarios((add) => {
  add(
    'a run that takes longer than its time limit is told to stop, and FAILED even if it does not hear',
    async (field) => {
      const ids = [
        ...(await field.enqueue('listen', [[60_000]], { timeLimit: 500 })),
        ...(await field.enqueue('stubborn', [[60_000]], { timeLimit: 500 })),
      ]
      const worker = await field.worker()

      expect(await field.finished()).toBeLessThan(4_000)

      expect(field.events.filter(({ event }) => event === 'abort').map(({ note }) => note)).toEqual(
        ['TimeLimitExceeded', 'TimeLimitExceeded'],
      )
      expect(
        (await field.rows()).map(({ status, exceptionClassPath }) => [status, exceptionClassPath]),
      ).toEqual(ids.map(() => ['FAILED', 'typeorm_tasks.TimeLimitExceeded']))
      await worker.says(`Task id=${ids[1]} path=fault.stubborn ignored its abort signal`)
      return { code: 0 }
    },
  )

  add(
    'a failing task is tried again as often as it asks for, keeps the errors of its runs, and rests between them',
    async (field) => {
      const [id] = await field.enqueue('fail', [[]], {
        retry: { maxAttempts: 3, delay: 300, factor: 2, jitter: 0 },
      })
      await field.worker()

      await field.finished()

      const row = await field.row(id!)
      expect(row).toMatchObject({
        status: 'FAILED',
        claims: 3,
        exceptionClassPath: 'RangeError',
        attemptErrors: [{ exceptionClassPath: 'RangeError' }, { exceptionClassPath: 'RangeError' }],
      })
      expect(row.attemptErrors!.map(({ traceback }) => /claim \d/.exec(traceback)?.[0])).toEqual([
        'claim 1',
        'claim 2',
      ])
      const starts = field.events.filter(({ event }) => event === 'start').map(({ at }) => at)
      expect(starts[1]! - starts[0]!).toBeGreaterThanOrEqual(299)
      expect(starts[2]! - starts[1]!).toBeGreaterThanOrEqual(599)
    },
  )

  add(
    'a task that must not run again after a crash is FAILED when its worker is lost',
    async (field) => {
      const [id] = await field.enqueue('sleep', [[60_000]], { rerunAfterCrash: false })
      const [other] = await field.enqueue('second', [[60_000]])
      const worker = await field.worker()
      await field.sees('start', 2)
      await field.worker()

      worker.kill('SIGKILL')
      await field.finished()

      expect(await field.row(id!)).toMatchObject({
        status: 'FAILED',
        claims: 1,
        exceptionClassPath: 'typeorm_tasks.WorkerLost',
      })
      expect(claimsOf(field.events, id!)).toEqual([1])
      expect((await field.row(other!)).status).toBe('SUCCESSFUL')
    },
  )

  add('a task that waited longer than its maximum age is FAILED and not run', async (field) => {
    const [old] = await field.enqueue('count', [[]], { maxAge: 500 })
    const [young] = await field.enqueue('count', [[]], { maxAge: 60_000 })
    await new Promise((wake) => setTimeout(wake, 700))
    await field.worker()

    await field.finished()

    expect(await field.row(old!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.MaxAgeExceeded',
    })
    expect((await field.row(young!)).status).toBe('SUCCESSFUL')
    expect(claimsOf(field.events, old!)).toEqual([])
    return { unstarted: true }
  })

  add('a task that runs for several leases is held all that time', async (field) => {
    const [id] = await field.enqueue('sleep', [[2.5 * LEASE]])
    await field.worker()
    await field.worker()

    await field.finished()

    expect(await field.row(id!)).toMatchObject({ status: 'SUCCESSFUL', claims: 1 })
    const renewals = (await field.history()).changes.filter(
      ({ before, after }) => before?.status === 'RUNNING' && after?.status === 'RUNNING',
    )
    expect(renewals.length).toBeGreaterThanOrEqual(6)
    expect(renewals.length).toBeLessThanOrEqual(9)
  })
})
