import { clock as libraryClock, setClock } from '#clock'
import { task } from '#define'
import { DummyBackend } from '#dummy'
import type { PruneQuery } from '#lib/store'
import { type MemoryRow, instantText } from '#memory/row'
import { tasks } from '#registry'
import { Retention } from '#retention'
import { workerOf } from '#start-worker'
import { TaskPool } from '#task-pool'
import { settingsOf } from '#worker-options'
import { ManualClock } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** The longest time until the first look, and between two looks. */
const FIRST_MS = 12 * MINUTE_MS
const NEXT_MS = 13 * MINUTE_MS

/** A backend that says how long results are kept. */
class Keeping extends DummyBackend {
  override readonly retention: number | null

  constructor(retention: number | null = DAY_MS) {
    super('default', { queues: [], options: {} })
    this.retention = retention
  }
}

class PrunedStore extends WatchedStore {
  readonly prunes: PruneQuery[] = []
  failedPrunes = 0

  override async prune(query: PruneQuery): Promise<number> {
    this.prunes.push(query)
    if (this.failedPrunes > 0) {
      this.failedPrunes--
      throw new Error('connection lost')
    }
    return super.prune(query)
  }

  /** Adds a row that finished that many days ago. */
  old(name: string, days: number, status: MemoryRow['status'] = 'SUCCESSFUL'): string {
    const finished_at = instantText(Date.now() - days * DAY_MS)
    return this.add(name, [], { status, finished_at }).key
  }

  left(): number {
    return this.table.rows.size
  }
}

let clock: ManualClock
let log: Line[]
let store: PrunedStore
let over: AbortController

beforeEach(() => {
  log = catchLog()
  tasks.clear()
  task('spec.brief', () => libraryClock.sleep(0.9 * SECOND_MS))
  task('spec.endless', () => new Promise<void>(() => {}))
  clock = ManualClock.install()
  store = new PrunedStore()
  over = new AbortController()
})
afterEach(() => {
  over.abort()
  setClock()
  jest.restoreAllMocks()
})

/** The chore beside a pool for one task at a time, which has these rows. */
function start(rows: string[] = [], isStopping = () => false, backend = new Keeping()) {
  const pool = new TaskPool(backend, 1, null, 3)
  pool.take(
    rows.map((name) => store.claimed(store.add(name))),
    0,
  )
  for (const { row } of pool.at('waiting')) store.table.rows.delete(row.key)
  pool.start()
  const done = new Retention(store, pool, isStopping).run(over.signal)
  return { pool, done }
}

it('a worker deletes what was kept for long enough, some minutes after its start and again', async () => {
  task('spec.kept', () => 1, { keepResults: 9 * DAY_MS })
  const gone = [store.old('spec.some', 2), store.old('spec.kept', 10, 'FAILED')]
  const kept = [store.old('spec.some', 0.5), store.old('spec.kept', 8)]
  const waits = store.add('spec.some', [], { queue_name: 'elsewhere' })
  const settings = settingsOf({ workerId: 'w-1', queues: ['mail'] })
  const worker = workerOf(new Keeping(), store, settings)
  const ended = worker.run()

  await clock.advance(2 * MINUTE_MS - 1)
  expect(store.left()).toBe(5)
  await clock.advance(FIRST_MS - 2 * MINUTE_MS + SECOND_MS)
  expect([...store.table.rows.keys()].toSorted()).toEqual([...kept, waits.key].toSorted())
  expect(gone).toHaveLength(2)
  store.old('spec.late', 2)
  await clock.advance(NEXT_MS)
  expect(store.left()).toBe(3)

  worker.stop()
  await clock.advance(SECOND_MS)
  await ended
  expect(log.filter(([, line]) => line.startsWith('Pruned'))).toEqual([
    ['info', 'Pruned 2 task result(s)'],
    ['info', 'Pruned 1 task result(s)'],
  ])
})

it('where nobody says how long, nothing is asked, until a task does', async () => {
  store.old('spec.some', 99)
  store.old('spec.later', 99)
  start([], () => false, new Keeping(null))

  await clock.advance(FIRST_MS + NEXT_MS)
  expect(store.prunes).toEqual([])
  task('spec.later', () => 1, { keepResults: 0 })
  await clock.advance(NEXT_MS)
  expect(store.left()).toBe(1)
})

it('a worker that claims all the time waits, for ten looks; then it goes on beside its claims', async () => {
  const { pool } = start(Array.from({ length: 12_000 }, () => 'spec.brief'))
  for (let i = 0; i < 1_200; i++) store.old('spec.some', 2)

  await clock.advance(70 * MINUTE_MS)
  expect(store.left()).toBe(1_200)
  expect(store.prunes.length).toBeGreaterThan(3)

  await clock.advance(FIRST_MS + 10 * (NEXT_MS + 2 * MINUTE_MS) - 70 * MINUTE_MS)
  expect(pool.free).toBeLessThan(0)
  expect(store.left()).toBe(0)
  // As long as it stays so, no later look waits again.
  store.old('spec.late', 2)
  await clock.advance(NEXT_MS)
  expect([store.left(), pool.free < 0]).toEqual([0, true])
})

it('a worker that is busy for a moment waits within its look', async () => {
  jest.spyOn(Math, 'random').mockReturnValue(0)
  // They take 135 seconds.
  const { pool } = start(Array.from({ length: 150 }, () => 'spec.brief'))
  store.old('spec.some', 2)

  await clock.advance(2 * MINUTE_MS + 5 * SECOND_MS)
  expect([store.left(), pool.free < 0]).toEqual([1, true])
  await clock.advance(15 * SECOND_MS)
  expect(store.left()).toBe(0)
})

it('long tasks are no reason to wait', async () => {
  const { pool } = start(['spec.endless', 'spec.endless'])
  store.old('spec.some', 2)

  await clock.advance(FIRST_MS + 2 * SECOND_MS)
  expect([store.left(), pool.free]).toEqual([0, -1])
})

it('it ends between two chunks when the worker stops', async () => {
  for (let i = 0; i < 1_200; i++) store.old('spec.some', 2)
  const { done } = start([], () => store.left() < 1_200)

  await clock.advance(FIRST_MS)
  over.abort()
  await done
  expect(store.left()).toBe(700)
})

it('a look that fails is one line of the log, and the next one comes', async () => {
  store.failedPrunes = 1
  store.old('spec.some', 2)
  start()

  await clock.advance(FIRST_MS + NEXT_MS)
  expect(store.left()).toBe(0)
  expect(log).toEqual([
    ['warn', 'Old results could not be pruned: Error: connection lost'],
    ['info', 'Pruned 1 task result(s)'],
  ])
})

it('a look that takes long is repeated less often, at least once in an hour and its share', async () => {
  const looks: number[] = []
  store.prune = async () => {
    looks.push(clock.now())
    await clock.sleep(looks.length === 1 ? 30 * SECOND_MS : 10 * MINUTE_MS)
    return 0
  }
  start()

  await clock.advance(4 * 60 * MINUTE_MS)
  const [first = 0, second = 0, third = 0] = looks
  expect(second - first).toBeGreaterThan(0.7 * 50 * MINUTE_MS)
  expect(third - second).toBeLessThan(10 * MINUTE_MS + 1.3 * 60 * MINUTE_MS)
})
