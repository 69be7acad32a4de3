import type { DataSource } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { PARKED_UNTIL } from '#formats'
import type { Browser, HistoryStep } from '../../lib/browser'
import { describeEachDatabase } from '../support/databases'
import { addTimed } from '../support/timed-rows'

const MINUTE = 60_000
const FROM = new Date('2026-11-20T10:00:00Z')
const STATUSES = ['READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'] as const
const at = (ms: number) => new Date(FROM.getTime() + ms)
const totals = (steps: readonly HistoryStep[]) =>
  steps.map(({ counts }) => Object.values(counts).reduce((sum, count) => sum + count))

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource
  let browser: Browser

  beforeAll(async () => {
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    browser = await new DatabaseBackend('default', {
      queues: [],
      options: { dataSource },
    }).openBrowser()
  })
  afterEach(() => dataSource.getRepository(DBTaskResult).clear())
  afterAll(() => browser.close())

  it('counts exactly what became of the tasks of each step, where these are few', async () => {
    const rows = Array.from({ length: 900 }, (_, i) => ({
      enqueuedAt: at((i * 7_919) % (60 * MINUTE)),
      status: STATUSES[(i * 31) % 4]!,
      queueName: i % 3 === 0 ? 'mail' : 'default',
      taskPath: i % 2 === 0 ? 'a.b' : 'a.B',
      backendName: i % 50 === 0 ? 'other' : 'default',
    }))
    await addTimed(dataSource, [...rows, { enqueuedAt: at(-1) }, { enqueuedAt: at(60 * MINUTE) }])
    const exact = (isWanted: (row: (typeof rows)[number]) => boolean) =>
      Array.from({ length: 60 }, (_, step) => {
        const counts = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0 }
        for (const row of rows)
          if (
            row.backendName === 'default' &&
            Math.floor((row.enqueuedAt.getTime() - FROM.getTime()) / MINUTE) === step &&
            isWanted(row)
          )
            counts[row.status]++
        return { from: at(step * MINUTE), counts, isEstimate: false }
      })
    const query = { from: FROM, to: at(60 * MINUTE), steps: 60 }
    const told = async (more: object) =>
      (await browser.history({ ...query, ...more })).map(({ from, counts, isEstimate }) => ({
        from,
        counts,
        isEstimate,
      }))

    expect(await told({})).toEqual(exact(() => true))
    expect(await told({ queue: 'mail' })).toEqual(exact((row) => row.queueName === 'mail'))
    expect(await told({ queue: 'mail', taskName: 'a.b' })).toEqual(
      exact((row) => row.queueName === 'mail' && row.taskPath === 'a.b'),
    )
  })

  it.each([
    ['in the last second of a minute', 59_000, 1_000],
    ['over a minute', 0, 60_000],
  ])('counts a few hundred tasks %s exactly', async (_, begin, length) => {
    const statuses = Array.from({ length: 400 }, (_, i) => (i % 7 === 0 ? 'FAILED' : 'SUCCESSFUL'))
    await addTimed(
      dataSource,
      statuses.map((status, i) => ({
        enqueuedAt: at(5 * MINUTE + begin + Math.floor((i * length) / 400)),
        status: status as 'FAILED' | 'SUCCESSFUL',
      })),
    )
    const failed = statuses.filter((status) => status === 'FAILED').length
    for (const [minutes, steps] of [
      [60, 60],
      [14 * 24 * 60, 60],
    ] as const) {
      const told = await browser.history({ from: FROM, to: at(minutes * MINUTE), steps })
      expect(told.map(({ counts }) => counts.FAILED).filter(Boolean)).toEqual([failed])
      expect(told.map(({ counts }) => counts.SUCCESSFUL).filter(Boolean)).toEqual([400 - failed])
      expect(told.some(({ isEstimate }) => isEstimate)).toBe(false)
    }
  })

  it('estimates where there are many: of an even flow to a fifth, whatever becomes of them', async () => {
    const many = 9_000
    const rows = Array.from({ length: many }, (_, i) => ({
      enqueuedAt: at(MINUTE + Math.floor((i * MINUTE) / many)),
      status: STATUSES[i % 4]!,
    }))
    await addTimed(dataSource, [{ enqueuedAt: at(10) }, ...rows])

    const [before, dense, after] = await browser.history({
      from: FROM,
      to: at(200 * MINUTE),
      steps: 200,
    })

    expect(before).toMatchObject({ isEstimate: false, counts: { READY: 1 } })
    expect(dense!.isEstimate).toBe(true)
    expect(totals([dense!])[0]! / many).toBeGreaterThan(0.8)
    expect(totals([dense!])[0]! / many).toBeLessThan(1.25)
    for (const status of STATUSES) expect(dense!.counts[status] / (many / 4)).toBeGreaterThan(0.6)
    expect(after).toMatchObject({ isEstimate: false, wait: null, run: null })
    expect(totals([after!])).toEqual([0])
  })

  it('counts a crowd of one instant exactly, if there are few such, and else tells of no more than twice all', async () => {
    const crowd = (count: number, ms: number) =>
      Array.from({ length: count }, () => ({ enqueuedAt: at(ms) }))
    await addTimed(dataSource, crowd(2_000, MINUTE))
    const query = { from: FROM, to: at(200 * MINUTE), steps: 200 }

    const one = await browser.history(query)
    expect(one[1]).toMatchObject({ isEstimate: false, counts: { READY: 2_000 } })
    expect(totals(one).reduce((sum, count) => sum + count)).toBe(2_000)

    await addTimed(
      dataSource,
      [5, 50, 100, 150].flatMap((step) => crowd(2_000, step * MINUTE)),
    )
    const five = await browser.history(query)
    expect(five[50]!.isEstimate).toBe(true)
    expect(totals(five)[50]).toBeGreaterThan(1_000)
    expect(totals(five)[49]).toBe(0)
  })

  it('tells how long tasks waited, from when they were due, and how long they ran', async () => {
    const run = (enqueued: number, started: number, finished: number | null, more = {}) => ({
      enqueuedAt: at(enqueued),
      startedAt: at(started),
      finishedAt: finished === null ? null : at(finished),
      status: finished === null ? ('RUNNING' as const) : ('SUCCESSFUL' as const),
      ...more,
    })
    const hundred = Array.from({ length: 100 }, (_, i) =>
      run(1_000 + i, 2_000 + 2 * i, 5_000 + 3 * i),
    )
    await addTimed(dataSource, [
      ...hundred,
      run(MINUTE, 10 * MINUTE, null, { runAfter: at(9 * MINUTE) }),
      run(2 * MINUTE, 2 * MINUTE + 500, 2 * MINUTE + 700, { runAfter: at(-MINUTE) }),
      { enqueuedAt: at(3 * MINUTE), runAfter: PARKED_UNTIL },
    ])

    const steps = await browser.history({ from: FROM, to: at(4 * MINUTE), steps: 4 })

    expect(steps.map(({ wait, run: ran }) => ({ wait, ran }))).toEqual([
      { wait: { p50: 1_050, p95: 1_095 }, ran: { p50: 3_050, p95: 3_095 } },
      { wait: { p50: MINUTE, p95: MINUTE }, ran: null },
      { wait: { p50: 500, p95: 500 }, ran: { p50: 200, p95: 200 } },
      { wait: null, ran: null },
    ])
  })

  it('refuses times and steps that make no history, and ids that tell no time', async () => {
    const to = at(MINUTE)
    await expect(browser.history({ from: to, to: FROM, steps: 2 })).rejects.toThrow('no earlier')
    await expect(browser.history({ from: FROM, to, steps: 0 })).rejects.toThrow('from 1 to 200')
    await expect(browser.history({ from: FROM, to, steps: 201 })).rejects.toThrow('got 201')
    const other = await new DatabaseBackend('default', {
      queues: [],
      options: { dataSource, idFunction: () => crypto.randomUUID() },
    }).openBrowser()
    await expect(other.history({ from: FROM, to, steps: 2 })).rejects.toThrow('no history')
    await other.close()
  })
})
