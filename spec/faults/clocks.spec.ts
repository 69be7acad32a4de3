import { join } from 'node:path'
import { scenarios } from './kit/scenario'
import { claimsOf, LEASE } from './kit/timing'

const preload = join(__dirname, 'kit/shifted-clock.cjs')
const TEN_MINUTES = 600_000
const DELAY = 4_000

scenarios((add) => {
  add(
    'F51 workers whose clocks are ten minutes fast and slow start nothing early, late or twice',
    async (field) => {
      const now = await field.enqueue(
        'sleep',
        Array.from({ length: 30 }, () => [100]),
      )
      const due = Date.now() + DELAY
      const later = await field.enqueue(
        'count',
        Array.from({ length: 20 }, () => []),
        { runAfter: new Date(due) },
      )
      await field.enqueue('sleep', [[2 * LEASE]])
      await Promise.all(
        [TEN_MINUTES, -TEN_MINUTES].map((shift) =>
          field.worker([], { preload, env: { CLOCK_SHIFT: String(shift) } }),
        ),
      )

      await field.finished()

      const starts = field.events
        .filter(({ event, id }) => event === 'start' && later.includes(id))
        .map(({ at }) => at - due)
      expect(starts).toHaveLength(20)
      expect(Math.min(...starts)).toBeGreaterThan(-1_000)
      expect(Math.max(...starts)).toBeLessThan(2_000)
      expect([...now, ...later].filter((id) => claimsOf(field.events, id).length !== 1)).toEqual([])
      expect((await field.rows()).filter(({ claims }) => claims !== 1)).toEqual([])
    },
  )

  add('F52 a wall clock that jumps by hours while a task runs costs it nothing', async (field) => {
    const [id] = await field.enqueue('timeTravel', [[2 * LEASE]])
    const worker = await field.worker([], { preload })
    await field.sees('start')
    await field.worker()

    await field.finished()

    expect(await field.row(id!)).toMatchObject({
      status: 'SUCCESSFUL',
      claims: 1,
      attemptErrors: null,
    })
    expect(worker.log).not.toMatch(/could not be|taken over/)
  })
})
