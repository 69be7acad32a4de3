import { setClock } from '#clock'
import { DummyBackend } from '#dummy'
import { workerOf } from '#start-worker'
import { UnknownTasks } from '#unknown-tasks'
import { settingsOf, type WorkerOptions } from '#worker-options'
import { ManualClock } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

const MINUTE_MS = 60_000

let store: WatchedStore
let log: Line[]

beforeEach(() => {
  log = catchLog()
  store = new WatchedStore()
})
afterEach(() => setClock())

function worker(options: WorkerOptions = {}) {
  return workerOf(
    new DummyBackend('default', { queues: [], options: {} }),
    store,
    settingsOf({ workerId: 'w-1', ...options }),
  )
}

const warnings = () => log.filter(([level]) => level === 'warn').map(([, line]) => line)

it('F57 rows of a task that is not defined here are given back, with one warning', async () => {
  const clock = ManualClock.install()
  store.add('unknown.task')
  store.add('unknown.task')
  const running = worker()
  const ended = running.run()

  await clock.advance(MINUTE_MS / 2)
  expect(store.released).toHaveLength(2)
  expect(store.kept).toEqual([])
  expect(warnings()).toEqual([
    expect.stringMatching(/^The task "unknown.task" is not defined in this process\./),
  ])

  running.stop()
  await clock.advance(MINUTE_MS)
  await ended
})

it('that lasts for five minutes; warnings of one name come once a minute', async () => {
  const clock = ManualClock.install()
  const unknown = new UnknownTasks()
  const rows = ['unknown.task', 'unknown.task', 'unknown.other'].map((name) =>
    store.claimed(store.add(name)),
  )

  for (let minute = 0; minute < 5; minute++) {
    expect(rows.map((row) => unknown.mayWait(row))).toEqual([true, true, true])
    await clock.advance(MINUTE_MS)
  }
  expect(rows.map((row) => unknown.mayWait(row))).toEqual([false, false, false])
  expect(warnings()).toHaveLength(10)
})

it('a batch, which does not come back to them, ends them as FAILED at once', async () => {
  store.add('unknown.task')

  await worker({ batch: true }).run()

  expect(store.kept).toMatchObject([{ status: 'FAILED' }])
})
