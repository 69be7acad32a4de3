import { setTimeout as sleep } from 'node:timers/promises'
import { DummyBackend } from '#dummy'
import { ReturnUnstarted } from '#return-unstarted'
import { setClock } from '#clock'
import { task } from '#define'
import { LeaseLost, TaskCancelled } from '../../lib/errors/run-errors'
import { Leases } from '#leases'
import { Prefetch } from '#intake'
import { TaskPool } from '#task-pool'
import type { ClaimedRow } from '#lib/store'
import { taskStarted } from '#signals'
import { workerOf } from '#start-worker'
import { settingsOf } from '#worker-options'
import { WatchedStore } from '../support/watched-store'
import { ManualClock, settled } from '../support/manual-clock'
import { catchLog } from '../support/tasks'

const gates = new Map<string, () => void>()
const gated = task(
  'pool.gated',
  (name: string) => new Promise<string>((resolve) => gates.set(name, () => resolve(name))),
)
const quickly = task('pool.quickly', () => 'ran')
const young = task('pool.young', () => 'ran', { maxAge: 1_000 })

let clock: ManualClock
let store: WatchedStore
let pool: TaskPool

beforeEach(() => {
  catchLog()
  gates.clear()
  clock = ManualClock.install()
  store = new WatchedStore()
  pool = new TaskPool(new DummyBackend('default', { queues: [], options: {} }), 1, null, 3)
})
afterEach(() => setClock())

function rows(...names: string[]): ClaimedRow[] {
  return names.map((name) => store.claimed(store.add(gated.name, [name])))
}

describe('rows that were claimed ahead', () => {
  it('start one by one, in order, as those before them end', async () => {
    pool.take(rows('a', 'b', 'c'), 0)
    pool.start()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])
    expect({ free: pool.free, started: pool.started, taken: pool.taken }).toEqual({
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
    store.exchange = async (outcomes, limit, filter) => {
      // What was claimed, and has not started, while outcomes of others are handed in.
      const claimed = quick.length - store.waiting.length
      if (outcomes.length > 0) ahead = Math.max(ahead, claimed - started)
      await sleep(2)
      return exchange(outcomes, limit, filter)
    }

    await workerOf(
      new DummyBackend('default', { queues: [], options: {} }),
      store,
      settingsOf({ batch: true }),
    ).run()

    stop()
    expect({ started, kept: store.kept.length }).toEqual({ started: 2_000, kept: 2_000 })
    expect(ahead).toBeGreaterThan(50)
  })

  it('are held like those that run', async () => {
    pool.take(rows('a', 'b', 'c'), 0)
    pool.start()

    await new Leases(store, pool).renewAll()

    expect(store.renewals).toHaveLength(3)
  })

  it('are given back when they have waited for a second, and what runs goes on', async () => {
    const claimed = rows('a', 'b', 'c')
    const [, ...waiting] = claimed
    pool.take(claimed, 0)
    pool.start()
    const over = new AbortController()
    const watching = new ReturnUnstarted(store, pool).run(over.signal)
    await clock.advance(900)
    expect(store.released).toEqual([])

    await clock.advance(600)

    expect(store.released).toEqual(waiting)
    expect(pool.busy).toBe(1)
    gates.get('a')!()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])
    over.abort()
    await watching
  })

  it('end as cancelled without a run, when they are cancelled while they wait', async () => {
    pool.take(rows('a', 'b'), 0)
    pool.start()
    await settled()
    pool.at('waiting')[0]!.stop(new TaskCancelled())
    gates.get('a')!()
    await settled()

    expect(
      pool
        .send()
        .map(({ outcome }) =>
          outcome.status === 'FAILED' ? outcome.error.exceptionClassPath : outcome.status,
        ),
    ).toEqual(['SUCCESSFUL', 'typeorm_tasks.TaskCancelled'])
    expect([...gates.keys()]).toEqual(['a'])
  })

  it('are too old when they have grown so while they waited here', async () => {
    pool.take([...rows('a'), store.claimed(store.add(young.name))], 0)
    pool.start()
    await clock.advance(1_001)
    gates.get('a')!()
    await settled()

    expect(pool.send()[1]?.outcome).toMatchObject({
      status: 'FAILED',
      error: { exceptionClassPath: 'typeorm_tasks.MaxAgeExceeded' },
    })
  })

  it('are no loss to tell of, when a renewal that was under way finds them given back', async () => {
    const lines = catchLog()
    pool.take(rows('a', 'b'), 0)
    pool.start()
    const [waiting] = pool.at('waiting')
    pool.unstarted()

    pool.hear(waiting!, {
      askedAt: 0,
      wasDoubted: false,
      isCancelled: false,
      lost: { key: waiting!.row.key, claims: 1 },
    })

    expect(lines.map(([, line]) => line)).not.toContainEqual(
      expect.stringContaining('was taken over'),
    )
  })

  it('do not start while outcomes cannot be stored', async () => {
    pool.take(rows('a', 'b'), 0)
    pool.start()
    await settled()
    pool.pause([])
    gates.get('a')!()
    await settled()
    expect([...gates.keys()]).toEqual(['a'])

    const sent = pool.send()
    expect(sent).toHaveLength(1)
    pool.settle(sent, ['kept'])
    pool.take([], 0)
    pool.start()
    await settled()
    expect([...gates.keys()]).toEqual(['a', 'b'])
  })
})

it('an outcome whose lease was given up while it was on its way is not handed in again', async () => {
  pool.take(rows('a'), 0)
  pool.start()
  await settled()
  const [slot] = pool.held()
  gates.get('a')!()
  await settled()
  const sent = pool.send()
  expect(sent).toHaveLength(1)

  slot!.stop(new LeaseLost())
  pool.pause(sent)

  expect(pool.send()).toEqual([])
  expect(pool.busy).toBe(0)
})

describe('the prefetch', () => {
  it('asks for nothing ahead while runs take long, and for hundreds when they take no time', async () => {
    const prefetch = new Prefetch()
    await clock.advance(10_000)
    prefetch.measure(9_999, 10)
    expect(prefetch.limit).toBe(0)

    for (let i = 0; i < 20; i++) {
      await clock.advance(5)
      prefetch.measure(10_000 + 5 * i, 600)
    }
    expect(prefetch.limit).toBe(1600)

    await clock.advance(100)
    expect(prefetch.limit).toBe(0)
  })
})
