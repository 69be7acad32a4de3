import { setTimeout as sleep } from 'node:timers/promises'
import { DummyBackend } from '#dummy'
import { Backlog } from '#return-unstarted'
import { setClock } from '#clock'
import { task } from '#define'
import { LeaseLost } from '../../lib/errors/run-errors'
import { TaskCancelled } from '../../lib/errors/run-errors'
import { Leases } from '#leases'
import { Pace } from '#prefetch'
import { Slots } from '#task-pool'
import type { ClaimedRow } from '#lib/store'
import { taskStarted } from '#signals'
import { Worker } from '#worker'
import { wishOf } from '#worker-options'
import { WatchedStore } from '../support/watched-store'
import { ManualClock, settled } from '../support/manual-clock'
import { catchLog } from '../support/tasks'

const gates = new Map<string, () => void>()
const gated = task(
  'slots.gated',
  (name: string) => new Promise<string>((resolve) => gates.set(name, () => resolve(name))),
)
const quickly = task('slots.quickly', () => 'ran')
const young = task('slots.young', () => 'ran', { maxAge: 1_000 })

let clock: ManualClock
let store: WatchedStore
let slots: Slots

beforeEach(() => {
  catchLog()
  gates.clear()
  clock = ManualClock.install()
  store = new WatchedStore()
  slots = new Slots(new DummyBackend('default', { queues: [], options: {} }), 1)
})
afterEach(() => setClock())

function rows(...names: string[]): ClaimedRow[] {
  return names.map((name) => store.claimed(store.add(gated.name, [name])))
}

describe('rows that were claimed ahead', () => {
  it('start one by one, in order, as those before them end', async () => {
    slots.take(rows('a', 'b', 'c'), 0)
    slots.start()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])
    expect({ free: slots.free, started: slots.started, taken: slots.taken }).toEqual({
      free: -2,
      started: 1,
      taken: 3,
    })

    gates.get('a')!()
    await settled()
    expect([...gates.keys()]).toEqual(['a', 'b'])
  })

  it('start when the exchange that hands in those before them is under way, and not before', async () => {
    setClock()
    const quick = Array.from({ length: 2_000 }, () => store.add(quickly.name))
    let started = 0
    let ahead = 0
    const stop = taskStarted.connect(() => void started++)
    const exchange = store.exchange.bind(store)
    store.exchange = async (outcomes, room, wishes) => {
      // What was claimed, and has not started, while outcomes of others are handed in.
      const claimed = quick.length - store.waiting.length
      if (outcomes.length > 0) ahead = Math.max(ahead, claimed - started)
      await sleep(2)
      return exchange(outcomes, room, wishes)
    }

    await new Worker(
      new DummyBackend('default', { queues: [], options: {} }),
      store,
      wishOf({ batch: true }),
    ).run()

    stop()
    expect({ started, kept: store.kept.length }).toEqual({ started: 2_000, kept: 2_000 })
    expect(ahead).toBeGreaterThan(50)
  })

  it('are held like those that run', async () => {
    slots.take(rows('a', 'b', 'c'), 0)
    slots.start()

    await new Leases(store, slots).renewAll()

    expect(store.renewals).toHaveLength(3)
  })

  it('are given back when they have waited for a second, and what runs goes on', async () => {
    const claimed = rows('a', 'b', 'c')
    const [, ...waiting] = claimed
    slots.take(claimed, 0)
    slots.start()
    const backlog = new Backlog(store, slots)
    const watching = backlog.watch()
    await clock.advance(900)
    expect(store.released).toEqual([])

    await clock.advance(600)

    expect(store.released).toEqual(waiting)
    expect(slots.busy).toBe(1)
    gates.get('a')!()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])
    backlog.close()
    await watching
  })

  it('end as cancelled without a run, when they are cancelled while they wait', async () => {
    slots.take(rows('a', 'b'), 0)
    slots.start()
    await settled()
    slots.held()[1]!.stop(new TaskCancelled())
    gates.get('a')!()
    await settled()

    expect(
      slots
        .outcomes()
        .map((outcome) =>
          outcome.status === 'FAILED' ? outcome.error.exceptionClassPath : outcome.status,
        ),
    ).toEqual(['SUCCESSFUL', 'typeorm_tasks.TaskCancelled'])
    expect([...gates.keys()]).toEqual(['a'])
  })

  it('are too old when they have grown so while they waited here', async () => {
    slots.take([...rows('a'), store.claimed(store.add(young.name))], 0)
    slots.start()
    await clock.advance(1_001)
    gates.get('a')!()
    await settled()

    expect(slots.outcomes()[1]).toMatchObject({
      status: 'FAILED',
      error: { exceptionClassPath: 'typeorm_tasks.MaxAgeExceeded' },
    })
  })

  it('are no loss to tell of, when a renewal that was under way finds them given back', async () => {
    const lines = catchLog()
    slots.take(rows('a', 'b'), 0)
    slots.start()
    const [, waiting] = slots.held()
    slots.unstarted()

    slots.lose(waiting!)

    expect(lines.map(([, line]) => line)).not.toContainEqual(
      expect.stringContaining('was taken over'),
    )
  })

  it('do not start while outcomes cannot be stored', async () => {
    slots.take(rows('a', 'b'), 0)
    slots.start()
    await settled()
    slots.pause()
    gates.get('a')!()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])

    expect(slots.outcomes()).toHaveLength(1)
    slots.settle([true])
    slots.take([], 0)
    slots.start()
    await settled()
    expect([...gates.keys()]).toEqual(['a', 'b'])
  })
})

it('an outcome whose lease was given up while it was on its way is not handed in again', async () => {
  slots.take(rows('a'), 0)
  slots.start()
  await settled()
  const [slot] = slots.held()
  gates.get('a')!()
  await settled()
  expect(slots.outcomes()).toHaveLength(1)

  slot!.stop(new LeaseLost())
  slots.pause()

  expect(slots.outcomes()).toEqual([])
  expect(slots.busy).toBe(0)
})

describe('the pace', () => {
  it('asks for nothing ahead while runs take long, and for hundreds when they take no time', async () => {
    const pace = new Pace()
    await clock.advance(10_000)
    pace.measure(9_999, 10)
    expect(pace.ahead).toBe(0)

    for (let i = 0; i < 20; i++) {
      await clock.advance(5)
      pace.measure(10_000 + 5 * i, 400)
    }
    expect(pace.ahead).toBe(800)

    await clock.advance(100)
    expect(pace.ahead).toBe(0)
  })
})
