import { setTimeout as sleep } from 'node:timers/promises'
import { DummyBackend } from '#dummy'
import { task } from '#define'
import type { ClaimFilter, Exchange, Held, Outcome } from '#lib/store'
import { workerOf } from '#start-worker'
import { settingsOf, type WorkerOptions } from '#worker-options'
import { WatchedStore } from '../../support/watched-store'
import { settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'

const endless = task('spec.endless', () => new Promise<void>(() => {}))

const LOST = { exceptionClassPath: 'typeorm_tasks.WorkerLost', traceback: 'lost\n', crash: true }
/** It has cost two workers, and is given up with the third. */
const SUSPECT = { attempt_errors: JSON.stringify([LOST, LOST]) }

/** Claims at once, and answers when it is told to; gives rows back when it is told to. */
class LateStore extends WatchedStore {
  /** How many calls to give rows back wait until they are let go. */
  readonly releasing: (() => void)[] = []
  holdsReleases = false
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

  override async release(rows: readonly Held[], delay?: number): Promise<number> {
    if (this.holdsReleases && rows.length > 0)
      await new Promise<void>((resolve) => this.releasing.push(resolve))
    return super.release(rows, delay)
  }
}

function started(options: WorkerOptions = {}, columns = {}) {
  catchLog()
  const store = new LateStore()
  for (let i = 0; i < 3; i++) store.add(endless.name, [], i === 0 ? columns : {})
  const backend = new DummyBackend('default', { queues: [], options: {} })
  const settings = settingsOf({ workerId: 'w-1', startupDelay: 0, concurrency: 3, ...options })
  const worker = workerOf(backend, store, settings)
  return { store, worker, ended: worker.run(), forced: () => worker.forceStop() }
}

async function running(store: LateStore): Promise<void> {
  await store.hasClaimed
  store.answer()
  await settled()
}

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let is = false
  void promise.then(() => (is = true))
  await settled()
  return is
}

it('a forced stop waits for the claim that is under way, and gives its rows back', async () => {
  const { store, forced, ended } = started()
  await store.hasClaimed
  expect(store.waiting).toEqual([])

  const stopped = forced()
  expect(await isDone(stopped)).toBe(false)
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

it('a second forced stop waits for what the first gives back, and so does the end of the worker', async () => {
  const { store, forced, ended } = started()
  await running(store)
  store.holdsReleases = true

  const first = forced()
  const second = forced()
  expect(await isDone(second)).toBe(false)
  expect(await isDone(ended)).toBe(false)
  for (const release of store.releasing) release()
  await Promise.all([first, second])

  expect(store.waiting).toHaveLength(3)
  await ended
  expect(store.releasing).toHaveLength(1)
})

it('a forced stop after a stop ends the worker at once, and not after its shutdownTimeout', async () => {
  const { store, worker, forced, ended } = started()
  await running(store)

  worker.stop()
  await settled()
  const begun = performance.now()
  await forced()
  await ended

  // The stop has 30 s.
  expect(performance.now() - begun).toBeLessThan(10_000)
  expect(store.waiting).toHaveLength(3)
})

it('a forced stop waits for what a stop gives back at its end', async () => {
  const { store, worker, forced, ended } = started({ shutdownTimeout: 0 })
  await running(store)
  store.holdsReleases = true

  worker.stop()
  while (store.releasing.length === 0) await sleep(20)
  store.holdsReleases = false
  const stopped = forced()
  expect(await isDone(stopped)).toBe(false)
  for (const release of store.releasing) release()
  await stopped

  expect(store.waiting).toHaveLength(3)
  await ended
})

it('a forced stop while others are given back for the sake of a suspect gives that one back, too', async () => {
  const { store, forced, ended } = started({}, SUSPECT)
  await store.hasClaimed
  store.holdsReleases = true
  store.answer()
  await settled()
  expect(store.releasing).toHaveLength(1)

  const stopped = forced()
  await settled()
  for (const release of store.releasing) release()
  store.holdsReleases = false
  await stopped

  expect(store.waiting).toHaveLength(3)
  await ended
})
