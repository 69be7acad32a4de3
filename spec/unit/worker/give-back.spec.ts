import { setTimeout as sleep } from 'node:timers/promises'
import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import { ReturnUnstarted } from '#return-unstarted'
import { workerOf } from '#start-worker'
import { TaskPool } from '#task-pool'
import { LeaseLost } from '../../../lib/errors/run-errors'
import { settingsOf } from '#worker-options'
import { WatchedStore } from '../../support/watched-store'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'

// A row that is not given back is left to its lease: a crash is counted for it though it never ran, and one that must not
// run twice is FAILED.

const nothing = task('giveback.nothing', () => {})
const gates: (() => void)[] = []
const gated = task('giveback.gated', () => new Promise<void>((resolve) => void gates.push(resolve)))

const backend = new DummyBackend('default', { queues: [], options: {} })
let store: WatchedStore

beforeEach(() => {
  catchLog()
  store = new WatchedStore()
})
afterEach(() => setClock())

it('a worker that is stopped during a claim gives the rows back, though the first tries fail', async () => {
  store.add(nothing.name)
  store.add(nothing.name)
  const worker = workerOf(backend, store, settingsOf({ workerId: 'w-1' }))
  const exchange = store.exchange.bind(store)
  store.exchange = async (...asked) => {
    const answer = await exchange(...asked)
    worker.stop()
    return answer
  }
  store.failedReleases = 3

  expect(await worker.run()).toEqual({ started: 0, abandoned: 0 })

  expect(store.waiting).toHaveLength(2)
})

it('rows that could not be given back as their turn did not come are, later', async () => {
  const clock = ManualClock.install()
  const pool = new TaskPool(backend, 1, null, 3)
  const rows = [1, 2, 3].map(() => store.claimed(store.add(gated.name)))
  pool.take(rows, clock.now())
  pool.start()
  const over = new AbortController()
  const watching = new ReturnUnstarted(store, pool).run(over.signal)
  store.failedReleases = 2

  await clock.advance(1_600)
  expect(store.waiting).toEqual([])
  await clock.advance(1_000)
  expect(store.waiting).toHaveLength(2)

  over.abort()
  await watching
})

it('an outcome that the store wants later is handed in again, and the worker does not spin meanwhile', async () => {
  const { key } = store.add(nothing.name)
  const worker = workerOf(backend, store, settingsOf({ workerId: 'w-1', interval: 60_000 }))
  const exchange = store.exchange.bind(store)
  let laters = 0
  store.exchange = async (outcomes, limit, filter) => {
    if (outcomes.length === 0 || laters >= 2) return exchange(outcomes, limit, filter)
    laters++
    return { ...(await exchange([], limit, filter)), answers: outcomes.map(() => 'later' as const) }
  }
  const running = worker.run()

  for (let i = 0; i < 100 && store.table.get(key).status !== 'SUCCESSFUL'; i++) await sleep(50)
  worker.stop()
  await running

  expect(store.table.get(key).status).toBe('SUCCESSFUL')
  expect(laters).toBe(2)
  expect(store.asked.length).toBeLessThan(20)
  await settled()
})

it('a worker goes on after a claim that failed beside outcomes that were stored', async () => {
  const lines = catchLog()
  store.add(nothing.name)
  const exchange = store.exchange.bind(store)
  let failures = 1
  store.exchange = async (outcomes, limit, filter) => {
    if (outcomes.length === 0 || failures === 0) return exchange(outcomes, limit, filter)
    failures--
    store.add(nothing.name)
    const { answers } = await exchange(outcomes, 0, filter)
    return { answers, claimed: [], failure: new Error('no claims now') }
  }

  const worker = workerOf(backend, store, settingsOf({ workerId: 'w-1', batch: true }))
  expect(await worker.run()).toEqual({ started: 2, abandoned: 0 })

  expect(store.kept.map(({ status }) => status)).toEqual(['SUCCESSFUL', 'SUCCESSFUL'])
  expect(lines).toContainEqual(['error', 'The backend did not answer (1): no claims now'])
})

it('a row whose lease was lost stays known, also when its run has ended: it may not count as one that never began', async () => {
  const pool = new TaskPool(backend, 1, null, 3)
  const row = store.claimed(store.add(gated.name))
  pool.take([row], 0)
  pool.start()
  await settled()

  pool.stop(new LeaseLost())
  gates.splice(0).forEach((open) => open())
  await settled()

  expect(pool.held()).toEqual([])
  expect(pool.known()).toEqual([{ key: row.key, claims: row.claims }])
})
