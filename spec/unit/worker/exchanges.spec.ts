import { setTimeout as sleep } from 'node:timers/promises'
import { DummyBackend } from '#dummy'
import { task } from '#define'
import { workerOf } from '#start-worker'
import { settingsOf } from '#worker-options'
import type { ClaimFilter, Exchange, Outcome } from '#lib/store'
import { WatchedStore } from '../../support/watched-store'
import { catchLog, type Line } from '../../support/tasks'

// A worker may have several exchanges under way. What it holds, claims and gives up must be the same as with one.

const nothing = task('exchanges.nothing', () => {})
const backend = new DummyBackend('default', { queues: [], options: {} })

/** A store whose answers take a moment; what an exchange does is done at once. */
class SlowStore extends WatchedStore {
  exchangesAtOnce = 2
  underWay = 0
  most = 0
  /** How many others were under way when an exchange began. */
  readonly beside: number[] = []

  override async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    this.beside.push(this.underWay++)
    this.most = Math.max(this.most, this.underWay)
    try {
      const answer = await super.exchange(outcomes, limit, filter)
      // A worker waits for one that brings nothing while it has nothing else to do.
      await sleep(answer.claimed.length > 0 || limit === 0 ? 5 : 100)
      return answer
    } finally {
      this.underWay--
    }
  }
}

let store: SlowStore
let lines: Line[]

beforeEach(() => {
  lines = catchLog()
  store = new SlowStore()
  for (let i = 0; i < 1_000; i++) store.add(nothing.name)
})

async function drained(): Promise<void> {
  const settings = settingsOf({ workerId: 'w-1', batch: true, concurrency: 200, interval: 60_000 })
  const { started } = await workerOf(backend, store, settings).run()
  expect(started).toBe(1_000)
  expect(store.waiting).toEqual([])
  expect(store.kept.map(({ status }) => status)).toEqual(Array(1_000).fill('SUCCESSFUL'))
}

it('has two under way where the store allows it, and ends when nothing is left', async () => {
  await drained()
  expect(store.most).toBe(2)
})

it('has one under way where the store allows no more', async () => {
  store.exchangesAtOnce = 1
  await drained()
  expect(store.most).toBe(1)
})

it('goes on with one alone after an answer was lost, until one succeeds', async () => {
  const begun = store.beside
  const exchange = store.exchange.bind(store)
  let failed = 0
  store.exchange = async (outcomes, limit, filter) => {
    // The third fails before it does anything, while another is under way.
    if (begun.length !== 2) return exchange(outcomes, limit, filter)
    begun.push(store.underWay++)
    await sleep(1)
    store.underWay--
    // On a busy machine another one has begun meanwhile.
    failed = begun.length
    throw new Error('no connection')
  }

  await drained()

  expect(failed).toBeGreaterThanOrEqual(3)
  expect(begun[failed]).toBe(0)
  expect(lines).toContainEqual(['error', 'The backend did not answer (1): no connection'])
})

it('takes no more tasks than it may, whatever is under way', async () => {
  const settings = settingsOf({ workerId: 'w-1', maxTasks: 450, concurrency: 200 })
  expect((await workerOf(backend, store, settings).run()).started).toBe(450)
  expect(store.kept).toHaveLength(450)
  expect(store.waiting).toHaveLength(550)
})
