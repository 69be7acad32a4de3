import { schedule, type ScheduleOptions } from 'typeorm-tasks'
import { bare, each, Ground, MINUTE_MS, slotOf } from './firing-ground'

let ground: Ground
beforeEach(() => void (ground = new Ground()))
afterEach(() => ground.end())

it('each slot has one row, however many workers there are, due at its time', async () => {
  each()
  ground.start(3)
  await ground.clock.advance(3 * MINUTE_MS)

  expect(ground.fired()).toEqual(['01:00', '02:00', '03:00'])
  const [first] = ground.table.rows.values()
  expect(first).toMatchObject({ task_path: 'firing.bare', run_after: '2026-05-04 10:01:00' })
  expect(slotOf(first!)).toEqual({
    schedule: 'spec.each',
    at: '2026-05-04T10:01:00.000Z',
    late: false,
  })
  expect(ground.warnings()).toEqual([])
})

it('a new schedule has missed nothing; one that is disabled, or of another backend, is not fired', async () => {
  each()
  schedule('spec.off', bare, { every: MINUTE_MS, enabled: false })
  schedule('spec.other', bare, { every: MINUTE_MS, using: { backend: 'other' } })
  await ground.restartAfter(10 * MINUTE_MS)
  expect(ground.fired()).toEqual([])
  await ground.clock.advance(MINUTE_MS)
  expect(ground.fired()).toEqual(['11:00'])
})

describe('after an interruption of five slots', () => {
  it.each<[string, Partial<ScheduleOptions<[]>>, string[]]>([
    ['once, by default', {}, ['08:00']],
    ['all', { missed: 'all' }, ['04:00', '05:00', '06:00', '07:00', '08:00']],
    ['all within two minutes', { missed: 'all', within: 2 * MINUTE_MS }, ['07:00', '08:00']],
    ['once, but within less', { within: 20_000 }, []],
    ['skip', { missed: 'skip' }, []],
  ])('%s', async (_, options, expected) => {
    each(options)
    ground.start()
    await ground.clock.advance(3 * MINUTE_MS)
    await ground.restartAfter(5 * MINUTE_MS)

    const before = ['01:00', '02:00', '03:00']
    expect(ground.fired()).toEqual([...before, ...expected])
    const late = [...ground.table.rows.values()].map((row) => slotOf(row).late)
    expect(late).toEqual([...before.map(() => false), ...expected.map(() => true)])
    await ground.clock.advance(MINUTE_MS)
    expect(ground.fired()).toEqual([...before, ...expected, '09:00'])
  })

  it('a slot is in time if a worker is there within ten seconds, whatever is missed', async () => {
    each({ missed: 'skip' })
    ground.start()
    await ground.clock.advance(MINUTE_MS)
    // 10:02:05
    await ground.restartAfter(35_000)
    expect(ground.fired()).toEqual(['01:00', '02:00'])
  })

  it('of very many the latest thousand, and a line in the log', async () => {
    schedule('spec.each', bare, { every: 1_000, missed: 'all' })
    ground.start()
    await ground.clock.advance(1_000)
    await ground.restartAfter(1_500_000)
    expect(ground.table.rows.size).toBe(1_001)
    expect(ground.warnings()).toEqual([
      'Schedule "spec.each" has missed more than 1000 slots: the latest 1000 are made up for',
    ])
  })
})

it('a row that is gone again, as by a transaction that it got into, is written once more', async () => {
  each()
  ground.start(2)
  await ground.clock.advance(1.5 * MINUTE_MS + 500)
  expect(ground.fired()).toEqual(['01:00', '02:00'])
  ground.table.rows.delete([...ground.table.rows.keys()].at(-1)!)
  await ground.clock.advance(10_000)
  expect(ground.fired()).toEqual(['01:00', '02:00'])
})

it('a changed expression begins anew, and the old one is not fired any more', async () => {
  each()
  ground.start()
  await ground.clock.advance(2 * MINUTE_MS)
  schedule('spec.each', bare, { every: 2 * MINUTE_MS })
  await ground.clock.advance(4 * MINUTE_MS)
  expect(ground.fired()).toEqual(['01:00', '02:00', '04:00', '06:00'])
})

describe("overlap: 'skip'", () => {
  const finish = (at: string): void => {
    for (const row of ground.table.rows.values())
      Object.assign(row, { status: 'SUCCESSFUL', finished_at: `2026-05-04 10:${at}` })
  }

  it('leaves slots out while the one before waits or runs, and they do not come later', async () => {
    each({ overlap: 'skip' })
    ground.start(2)
    await ground.clock.advance(MINUTE_MS)
    for (const row of ground.table.rows.values()) row.status = 'RUNNING'
    await ground.clock.advance(3 * MINUTE_MS)
    expect(ground.fired()).toEqual(['01:00'])

    finish('04:10')
    await ground.restartAfter(0)
    expect(ground.fired()).toEqual(['01:00'])
    await ground.clock.advance(MINUTE_MS)
    expect(ground.fired()).toEqual(['01:00', '05:00'])
  })

  it('what came after it had finished was missed', async () => {
    each({ overlap: 'skip' })
    ground.start()
    await ground.clock.advance(MINUTE_MS)
    finish('01:10')
    await ground.restartAfter(3 * MINUTE_MS)
    expect(ground.fired()).toEqual(['01:00', '04:00'])
  })
})
