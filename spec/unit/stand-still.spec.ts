import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import type { Held, Judge, Renewed, Rescued } from '#lib/store'
import { workerOf } from '#start-worker'
import type { Worker } from '#worker'
import { settingsOf } from '#worker-options'
import { WatchedStore } from '../support/watched-store'
import { ManualClock, settled } from '../support/manual-clock'
import { catchLog, type Line } from '../support/tasks'

const endless = task('spec.endless', () => new Promise<void>(() => {}))

/** Notes in which order it is asked, and answers renewals when it is told to. */
class SlowStore extends WatchedStore {
  readonly calls: string[] = []
  answer: (error?: Error) => void = () => {}

  override async renew(rows: readonly Held[]): Promise<Renewed> {
    this.calls.push('renew')
    await new Promise<void>(
      (resolve, reject) => (this.answer = (error) => (error ? reject(error) : resolve())),
    )
    this.calls.push('renewed')
    return super.renew(rows)
  }

  override async rescue(judge: Judge): Promise<Rescued> {
    this.calls.push('rescue')
    return super.rescue(judge)
  }
}

let clock: ManualClock
let lines: Line[]
let store: SlowStore
let worker: Worker

beforeEach(async () => {
  lines = catchLog()
  clock = new ManualClock()
  setClock(clock)
  store = new SlowStore()
  store.add(endless.name)
  worker = workerOf(
    new DummyBackend('default', { queues: [], options: {} }),
    store,
    settingsOf({ workerId: 'w-1', startupDelay: 0 }),
  )
  void worker.run()
  await settled()
  store.calls.length = 0
})
afterEach(() => {
  store.answer()
  void worker.forceStop()
  setClock()
})

it('a worker that stood still for a while renews what it holds before it looks for what others left behind', async () => {
  await clock.leap(45_000)
  expect(store.calls).toEqual(['renew'])

  store.answer()
  await settled()

  expect(store.calls).toEqual(['renew', 'renewed', 'rescue'])
})

it('a worker that stood still and cannot renew gives its tasks up before it takes over what is left behind', async () => {
  await clock.leap(45_000)

  store.answer(new Error('the database is away'))
  await settled()

  // The first look takes over the row that it gave up; the second finds no more.
  expect(store.calls).toEqual(['renew', 'rescue', 'rescue'])
  const told = lines.map(([, line]) => line)
  expect(told).toContainEqual(expect.stringContaining('lease not renewed in time'))
  expect(told).toContainEqual(expect.stringContaining('lost its worker: requeued'))
})
