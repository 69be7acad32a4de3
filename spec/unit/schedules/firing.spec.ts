import { configureTasks, schedule, type ScheduleOptions, setMiddleware, task } from 'typeorm-tasks'
import { setClock } from '#clock'
import { DummyBackend } from '#dummy'
import { MemoryBackend } from '#memory/backend'
import type { MemoryRow } from '#memory/row'
import { MemoryTable } from '#memory/table'
import { backends } from '../../../lib/backend-registry'
import { schedules } from '../../../lib/schedules/registry'
import { Firing } from '../../../lib/worker/chores/schedules'
import { ManualClock } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'

const MINUTE_MS = 60_000
/** Half a minute before the first slot of a schedule that is due each minute. */
const START = Date.parse('2026-05-04T10:00:30Z')

const bare = task('firing.bare', () => {})
const listed = task('firing.listed', (value: number) => value)

let clock: ManualClock
let table: MemoryTable
let lines: Line[]
let working: AbortController
/** By how much the clock of this process is ahead, in ms. */
let ahead: number

beforeEach(() => {
  clock = ManualClock.install()
  ahead = 0
  jest.spyOn(Date, 'now').mockImplementation(() => START + clock.now() + ahead)
  lines = catchLog()
  table = new MemoryTable(() => START + clock.now())
  configureTasks({
    default: { BACKEND: MemoryBackend, QUEUES: [], OPTIONS: { table } },
    other: { BACKEND: MemoryBackend, QUEUES: [], OPTIONS: { table } },
  })
  working = new AbortController()
})
afterEach(async () => {
  working.abort()
  await clock.advance(0)
  setClock()
  schedules.clear()
  jest.restoreAllMocks()
})

/** Starts workers, as far as schedules are concerned. */
function start(count = 1): void {
  for (let i = 0; i < count; i++) void new Firing(backends.get('default')).run(working.signal)
}

/** All workers end, and others start after `ms` milliseconds. */
async function restartAfter(ms: number): Promise<void> {
  working.abort()
  await clock.advance(ms)
  working = new AbortController()
  start()
  await clock.advance(0)
}

const each = (more: Partial<ScheduleOptions<[]>> = {}) =>
  schedule('spec.each', bare, { every: MINUTE_MS, ...more } as ScheduleOptions<[]>)

/** The slots that have rows, in the order in which they were written: minutes and seconds. */
function fired(): string[] {
  return [...table.rows.values()].map((row) => slotOf(row).at.slice(14, 19))
}

function slotOf({ options }: MemoryRow): { schedule: string; at: string; late: boolean } {
  return (JSON.parse(options ?? '{}') as { slot: { schedule: string; at: string; late: boolean } })
    .slot
}

const warnings = (): string[] =>
  lines.filter(([level]) => level === 'warn' || level === 'error').map(([, text]) => text)

it('each slot has one row, however many workers there are, due at its time', async () => {
  each()
  start(3)
  await clock.advance(3 * MINUTE_MS)

  expect(fired()).toEqual(['01:00', '02:00', '03:00'])
  const [first] = table.rows.values()
  expect(first).toMatchObject({ task_path: 'firing.bare', run_after: '2026-05-04 10:01:00' })
  expect(slotOf(first!)).toEqual({
    schedule: 'spec.each',
    at: '2026-05-04T10:01:00.000Z',
    late: false,
  })
  expect(warnings()).toEqual([])
})

it('a new schedule has missed nothing; one that is disabled, or of another backend, is not fired', async () => {
  each()
  schedule('spec.off', bare, { every: MINUTE_MS, enabled: false })
  schedule('spec.other', bare, { every: MINUTE_MS, using: { backend: 'other' } })
  await restartAfter(10 * MINUTE_MS)
  expect(fired()).toEqual([])
  await clock.advance(MINUTE_MS)
  expect(fired()).toEqual(['11:00'])
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
    start()
    await clock.advance(3 * MINUTE_MS)
    await restartAfter(5 * MINUTE_MS)

    const before = ['01:00', '02:00', '03:00']
    expect(fired()).toEqual([...before, ...expected])
    const late = [...table.rows.values()].map((row) => slotOf(row).late)
    expect(late).toEqual([...before.map(() => false), ...expected.map(() => true)])
    await clock.advance(MINUTE_MS)
    expect(fired()).toEqual([...before, ...expected, '09:00'])
  })

  it('a slot is in time if a worker is there within ten seconds, whatever is missed', async () => {
    each({ missed: 'skip' })
    start()
    await clock.advance(MINUTE_MS)
    // 10:02:05
    await restartAfter(35_000)
    expect(fired()).toEqual(['01:00', '02:00'])
  })

  it('of very many the latest thousand, and a line in the log', async () => {
    schedule('spec.each', bare, { every: 1_000, missed: 'all' })
    start()
    await clock.advance(1_000)
    await restartAfter(1_500_000)
    expect(table.rows.size).toBe(1_001)
    expect(warnings()).toEqual([
      'Schedule "spec.each" has missed more than 1000 slots: the latest 1000 are made up for',
    ])
  })
})

it('a row that is gone again, as by a transaction that it got into, is written once more', async () => {
  each()
  start(2)
  await clock.advance(1.5 * MINUTE_MS + 500)
  expect(fired()).toEqual(['01:00', '02:00'])
  table.rows.delete([...table.rows.keys()].at(-1)!)
  await clock.advance(10_000)
  expect(fired()).toEqual(['01:00', '02:00'])
})

it('a changed expression begins anew, and the old one is not fired any more', async () => {
  each()
  start()
  await clock.advance(2 * MINUTE_MS)
  schedule('spec.each', bare, { every: 2 * MINUTE_MS })
  await clock.advance(4 * MINUTE_MS)
  expect(fired()).toEqual(['01:00', '02:00', '04:00', '06:00'])
})

describe("overlap: 'skip'", () => {
  const finish = (at: string): void => {
    for (const row of table.rows.values())
      Object.assign(row, { status: 'SUCCESSFUL', finished_at: `2026-05-04 10:${at}` })
  }

  it('leaves slots out while the one before waits or runs, and they do not come later', async () => {
    each({ overlap: 'skip' })
    start(2)
    await clock.advance(MINUTE_MS)
    for (const row of table.rows.values()) row.status = 'RUNNING'
    await clock.advance(3 * MINUTE_MS)
    expect(fired()).toEqual(['01:00'])

    finish('04:10')
    await restartAfter(0)
    expect(fired()).toEqual(['01:00'])
    await clock.advance(MINUTE_MS)
    expect(fired()).toEqual(['01:00', '05:00'])
  })

  it('what came after it had finished was missed', async () => {
    each({ overlap: 'skip' })
    start()
    await clock.advance(MINUTE_MS)
    finish('01:10')
    await restartAfter(3 * MINUTE_MS)
    expect(fired()).toEqual(['01:00', '04:00'])
  })
})

describe('errors', () => {
  it('of the arguments are told once, and the slot is tried again', async () => {
    let isBroken = true
    schedule('spec.broken', listed, {
      every: 10 * MINUTE_MS,
      args: () => {
        if (isBroken) throw new RangeError('no such day')
        return [1]
      },
    })
    schedule('spec.sound', bare, { every: 10 * MINUTE_MS })
    start()
    await clock.advance(11 * MINUTE_MS)
    expect(fired()).toEqual(['10:00'])
    isBroken = false
    await clock.advance(2 * MINUTE_MS)
    expect([...table.rows.values()].map((row) => slotOf(row).schedule)).toEqual([
      'spec.sound',
      'spec.broken',
    ])
    expect(slotOf([...table.rows.values()][1]!)).toMatchObject({
      at: '2026-05-04T10:10:00.000Z',
    })
    expect(warnings()).toEqual([
      expect.stringContaining('Schedule "spec.broken" could not be fired: '),
    ])
  })

  it('of a backend that cannot fire schedules end the work, with one line', async () => {
    each()
    configureTasks({ default: { BACKEND: DummyBackend, QUEUES: [] } })
    start()
    await clock.advance(5 * MINUTE_MS)
    expect(warnings()).toEqual([
      expect.stringMatching(
        /^This worker fires no schedules: .*DummyBackend \(TASKS.default\) cannot fire schedules/,
      ),
    ])
  })

  it('of a database that does not answer end when it does', async () => {
    each({ missed: 'all' })
    const newest = jest.spyOn(backends.get('default'), 'newestSlot')
    start()
    await clock.advance(MINUTE_MS)
    newest.mockRejectedValue(new Error('away'))
    await clock.advance(2 * MINUTE_MS)
    expect(fired()).toEqual(['01:00'])
    newest.mockRestore()
    await clock.advance(MINUTE_MS)
    expect(fired()).toEqual(['01:00', '02:00', '03:00', '04:00'])
    expect(warnings()).toEqual([
      expect.stringMatching(/^Schedule "spec.each" could not be fired: .*away/),
    ])
  })
})

it('a middleware may change the order of a slot, which keeps its key', async () => {
  const earlier = setMiddleware([
    {
      enqueue: ({ task: given, args, kwargs, argsKwargs }, next) =>
        next({ task: given.using({ queueName: 'slow' }), args, kwargs, argsKwargs, key: null }),
    },
  ])
  each()
  start(3)
  await clock.advance(2 * MINUTE_MS).finally(() => setMiddleware(earlier))
  expect(fired()).toEqual(['01:00', '02:00'])
  expect([...table.rows.values()].map((row) => row.queue_name)).toEqual(['slow', 'slow'])
})

it("goes by the database's clock, and says that this process has another one", async () => {
  each()
  start()
  await clock.advance(MINUTE_MS)
  ahead = 5 * MINUTE_MS
  await clock.advance(MINUTE_MS)
  expect(fired()).toEqual(['01:00', '02:00'])
  expect(warnings()).toEqual([
    "The clock of this process is 300 s ahead of the database's: schedules go by the database's",
  ])
})
