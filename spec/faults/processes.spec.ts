import { setTimeout as sleep } from 'node:timers/promises'
import { scenarios } from './kit/scenario'
import { claimsOf } from './kit/timing'

const FLEET = ['--processes', '3', '--concurrency', '1']
const ALL = 3

scenarios((add) => {
  add(
    'F7 under a supervisor: a task that kills its workers is FAILED after three of them, which are replaced, and the others run',
    async (field) => {
      const [poison] = await field.enqueue('poison', [['kill']])
      const others = await field.enqueue(
        'count',
        Array.from({ length: 12 }, () => []),
      )
      const fleet = await field.worker(FLEET)

      await field.finished([poison!, ...others], 30_000)
      await fleet.says('Starting worker', ALL + 3)
      fleet.kill('SIGTERM')

      expect(await fleet.ended).toEqual({ code: 0, signal: null })
      const { status, claims, exceptionClassPath, attemptErrors, traceback } = await field.row(
        poison!,
      )
      expect({ status, claims, exceptionClassPath }).toEqual({
        status: 'FAILED',
        claims: 3,
        exceptionClassPath: 'typeorm_tasks.WorkerLost',
      })
      expect(attemptErrors?.map((error) => error.exceptionClassPath)).toEqual([
        'typeorm_tasks.WorkerLost',
        'typeorm_tasks.WorkerLost',
      ])
      expect(traceback).toMatch(/The worker w1-[123] was lost/)
      expect(claimsOf(field.events, poison!)).toEqual([1, 2, 3])
      // A worker that dies may hold one that it prefetched, or that ended and is not stored: it runs again.
      const statuses = await Promise.all(others.map(async (id) => (await field.row(id)).status))
      expect(statuses).toEqual(others.map(() => 'SUCCESSFUL'))
      expect(fleet.log.match(/was killed by SIGKILL; a replacement starts/g)).toHaveLength(3)
    },
  )

  add(
    'F11 under a supervisor: workers that are told to stop finish their tasks and take no others',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 5 }, () => [5_000]),
      )
      const fleet = await field.worker([...FLEET, '--shutdown-timeout', '10'])
      await field.sees('start', ALL)
      const before = performance.now()

      fleet.kill('SIGTERM')

      expect(await fleet.ended).toEqual({ code: 0, signal: null })
      expect(performance.now() - before).toBeLessThan(9_000)
      expect(
        (await field.rows()).map(({ status, claims }) => `${status} ${claims}`).toSorted(),
      ).toEqual(['READY 0', 'READY 0', 'SUCCESSFUL 1', 'SUCCESSFUL 1', 'SUCCESSFUL 1'])
      expect(ids).toHaveLength(5)
    },
  )

  add(
    'F14 under a supervisor: SIGINT twice, and all leave at once with 130, with nothing recorded for their tasks',
    async (field) => {
      await field.enqueue(
        'sleep',
        Array.from({ length: ALL }, () => [60_000]),
      )
      const fleet = await field.worker(FLEET)
      await field.sees('start', ALL)
      fleet.kill('SIGINT')
      await sleep(200)
      const before = performance.now()

      fleet.kill('SIGINT')

      expect(await fleet.ended).toEqual({ code: 130, signal: null })
      expect(performance.now() - before).toBeLessThan(1_500)
      for (const { status } of await field.rows()) expect(['READY', 'RUNNING']).toContain(status)
      return { running: true }
    },
  )

  add('F15 under a supervisor: five SIGTERMs are one', async (field) => {
    await field.enqueue(
      'sleep',
      Array.from({ length: ALL }, () => [5_000]),
    )
    const fleet = await field.worker(FLEET)
    await field.sees('start', ALL)

    for (const _ of [1, 2, 3, 4, 5]) {
      fleet.kill('SIGTERM')
      await sleep(100)
    }

    expect(await fleet.ended).toEqual({ code: 0, signal: null })
    expect(fleet.log.match(/shutting down/g)).toHaveLength(ALL)
    expect((await field.rows()).map(({ status, claims }) => [status, claims])).toEqual(
      Array(ALL).fill(['SUCCESSFUL', 1]),
    )
  })

  add(
    'the workers of a killed supervisor finish their tasks, take no others, and end',
    async (field) => {
      await field.enqueue(
        'sleep',
        Array.from({ length: ALL + 2 }, () => [5_000]),
      )
      const fleet = await field.worker(FLEET)
      await field.sees('start', ALL)

      fleet.kill('SIGKILL')

      // It has ended when nobody holds its output any more.
      expect(await fleet.ended).toEqual({ code: null, signal: 'SIGKILL' })
      expect(
        fleet.log.match(/The supervisor process is gone - shutting down gracefully/g),
      ).toHaveLength(ALL)
      expect(
        (await field.rows()).map(({ status, claims }) => `${status} ${claims}`).toSorted(),
      ).toEqual(['READY 0', 'READY 0', ...Array<string>(ALL).fill('SUCCESSFUL 1')])
    },
  )

  add(
    'workers that are killed one after the other are replaced one by one, and each task is recorded once',
    async (field) => {
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 24 }, () => [400]),
      )
      const fleet = await field.worker(FLEET)

      const dead: number[] = []
      while (dead.length < 4) {
        const starts = await field.sees('start', dead.length * 4 + 4)
        const { pid } = starts.findLast((start) => !dead.includes(start.pid))!
        process.kill(pid, 'SIGKILL')
        dead.push(pid)
        await fleet.says('was killed by SIGKILL', dead.length)
      }
      await field.finished(ids, 40_000)
      fleet.kill('SIGTERM')

      expect(await fleet.ended).toEqual({ code: 0, signal: null })
      expect((await field.rows()).map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESSFUL'))
      expect(field.events.filter(({ event }) => event === 'start').length).toBeLessThanOrEqual(
        ids.length + dead.length,
      )
    },
  )
})
