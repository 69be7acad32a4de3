import { DummyBackend } from '#dummy'
import { task } from '#define'
import type { ClaimFilter, Exchange, Outcome } from '#lib/store'
import { workerOf } from '#start-worker'
import { settingsOf } from '#worker-options'
import { WatchedStore } from '../../support/watched-store'
import { settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'

const endless = task('spec.endless', () => new Promise<void>(() => {}))

/** Claims at once, and answers when it is told to. */
class LateStore extends WatchedStore {
  #tellClaimed: () => void = () => {}
  readonly hasClaimed = new Promise<void>((resolve) => (this.#tellClaimed = resolve))
  answer: () => void = () => {}

  override async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    const exchange = await super.exchange(outcomes, limit, filter)
    const answered = new Promise<void>((resolve) => (this.answer = resolve))
    this.#tellClaimed()
    await answered
    return exchange
  }
}

function started(): { store: LateStore; forced: () => Promise<unknown>; ended: Promise<unknown> } {
  catchLog()
  const store = new LateStore()
  for (let i = 0; i < 3; i++) store.add(endless.name)
  const backend = new DummyBackend('default', { queues: [], options: {} })
  const settings = settingsOf({ workerId: 'w-1', startupDelay: 0, concurrency: 3 })
  const worker = workerOf(backend, store, settings)
  return { store, ended: worker.run(), forced: () => worker.forceStop() }
}

it('a forced stop waits for the claim that is under way, and gives its rows back', async () => {
  const { store, forced, ended } = started()
  await store.hasClaimed
  expect(store.waiting).toEqual([])

  let isDone = false
  const stopped = forced().then(() => (isDone = true))
  await settled()
  expect(isDone).toBe(false)
  store.answer()
  await stopped

  expect(store.waiting).toHaveLength(3)
  await ended
})

it('a forced stop ends in half a second where the claim is not answered', async () => {
  const { store, forced, ended } = started()
  await store.hasClaimed

  await forced()

  expect(store.waiting).toEqual([])
  store.answer()
  await ended
  expect(store.waiting).toHaveLength(3)
})
