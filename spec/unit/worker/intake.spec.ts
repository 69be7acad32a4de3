import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import { Intake } from '#intake'
import type { ClaimedRow } from '#lib/store'
import { TaskPool } from '#task-pool'
import { settingsOf } from '#worker-options'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

const MAX_CRASHES = 3
const gates = new Map<string, () => void>()
const gated = task(
  'intake.gated',
  (name: string) => new Promise<void>((resolve) => gates.set(name, resolve)),
)

let clock: ManualClock
let store: WatchedStore
let pool: TaskPool
let intake: Intake

beforeEach(() => {
  catchLog()
  gates.clear()
  clock = ManualClock.install()
  store = new WatchedStore()
  open(4)
})
afterEach(() => setClock())

function open(concurrency: number, maxCrashes = MAX_CRASHES): void {
  pool = new TaskPool(
    new DummyBackend('default', { queues: [], options: {} }),
    concurrency,
    null,
    3,
  )
  intake = new Intake(pool, settingsOf({ concurrency }), maxCrashes)
}

function row(name: string, crashes = 0, options: ClaimedRow['options'] = {}): ClaimedRow {
  const claimed = store.claimed(store.add(gated.name, [name]))
  const lost = { exceptionClassPath: 'typeorm_tasks.WorkerLost', traceback: 'lost\n', crash: true }
  const errors = Array.from({ length: crashes }, () => lost)
  return { ...claimed, options, values: { ...claimed.values, errors } }
}

/** Takes in what the intake keeps of the rows; gives the names of all kinds. */
function admit(...rows: ClaimedRow[]): Record<'kept' | 'returned' | 'postponed', unknown[]> {
  const { kept, returned, postponed } = intake.admit(rows)
  pool.take(kept, clock.now())
  pool.start()
  const names = (of: readonly ClaimedRow[]): unknown[] => of.map(({ values }) => values.args[0])
  return { kept: names(kept), returned: names(returned), postponed: names(postponed) }
}

async function end(name: string): Promise<void> {
  gates.get(name)!()
  await settled()
  pool.settle(pool.send(), ['kept'])
}

describe('rows that have cost workers', () => {
  it('run beside others, as long as one more lost worker is not their end', () => {
    expect(admit(row('a', 1), row('b', 1))).toMatchObject({ kept: ['a', 'b'], returned: [] })
    expect(intake.limit).toBe(2)
  })

  it('begin alone after that: all others at hand are given back, and none is claimed', async () => {
    open(2)
    admit(row('a'), row('b'), row('waits'))
    await end('a')
    await end('b')
    admit(row('waits too'))

    expect(admit(row('c'), row('d', 2), row('e', 2))).toEqual({
      kept: ['d'],
      returned: ['c'],
      postponed: ['e'],
    })
    expect([intake.limit, intake.owes]).toEqual([0, true])
  })

  it('take the place of rows that wait in the pool', () => {
    open(1)
    admit(row('runs'), row('waits'))

    expect(admit(row('d', 2))).toMatchObject({ kept: ['d'], returned: ['waits'] })
    expect([pool.busy, intake.owes]).toEqual([2, false])
  })

  it('come one at a time, until a claim has none', async () => {
    admit(row('a', 2), row('b', 2))
    await end('a')
    expect(intake.limit).toBe(1)
    admit(row('b', 2))
    await end('b')
    expect(intake.limit).toBe(1)

    admit(row('c'))

    expect(intake.limit).toBe(3)
  })

  it('keep their worker to themselves for 5 seconds at most; then others go on, but no other of their kind', async () => {
    admit(row('a', 2))
    await clock.advance(4_000)
    expect([intake.limit, intake.fullMs]).toEqual([0, 1_000])
    await clock.advance(1_000)
    expect([intake.limit, intake.fullMs]).toEqual([3, Number.POSITIVE_INFINITY])

    await clock.advance(60_000)

    expect(admit(row('b', 2), row('c'))).toEqual({ kept: ['c'], returned: [], postponed: ['b'] })
    expect([intake.limit, intake.owes]).toEqual([2, true])
  })

  it('leave as much time to others as their trial took', async () => {
    admit(row('a', 2))
    await clock.advance(2_000)
    await end('a')
    expect(intake.limit).toBe(4)
    expect(admit(row('b', 2))).toMatchObject({ kept: [], postponed: ['b'] })

    await clock.advance(2_000)

    expect(admit(row('b', 2))).toMatchObject({ kept: ['b'], postponed: [] })
  })

  it('wait for no other that has run for five minutes', async () => {
    admit(row('a', 2))
    await clock.advance(300_000)
    expect(intake.limit).toBe(1)
    expect(admit(row('b', 2))).toMatchObject({ kept: ['b'] })
  })

  it('are like others once a run of theirs has ended in order', () => {
    const polled = row('a', 2)
    const later = { exceptionClassPath: 'typeorm_tasks.RetryLater', traceback: 'later\n' }
    const errors = [...polled.values.errors, later]
    expect(admit({ ...polled, values: { ...polled.values, errors } }, row('b'))).toMatchObject({
      kept: ['a', 'b'],
    })
  })

  it('are like others if they run in a process of their own', () => {
    const apart = task('intake.apart', () => {}, { isolate: true })
    const lost = row('a', 2)
    const values = { ...lost.values, taskName: apart.name }
    expect(intake.admit([{ ...lost, values }, row('b')]).kept).toHaveLength(2)
  })
})

describe('rows that a lost worker ends', () => {
  it.each([
    { what: 'rerunAfterCrash: false', maxCrashes: 3, options: { rerunAfterCrash: false } },
    { what: 'maxCrashes: 1', maxCrashes: 1, options: {} },
  ])('do not wait here: $what', ({ maxCrashes, options }) => {
    open(2, maxCrashes)
    const once = (name: string): ClaimedRow => row(name, 0, options)

    expect(admit(once('a'), once('b'), once('c'))).toMatchObject({
      kept: ['a', 'b'],
      returned: ['c'],
    })
  })

  it('leave those that may wait', () => {
    open(1)
    const once = row('c', 0, { rerunAfterCrash: false })

    expect(admit(row('a'), row('b'), once)).toMatchObject({ kept: ['a', 'b'], returned: ['c'] })
  })
})
