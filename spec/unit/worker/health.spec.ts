import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { configureTasks } from '#configure'
import { task } from '#define'
import type { ClaimFilter, Exchange, Outcome, Store } from '#lib/store'
import { openWorker, type RunningWorker } from '#start-worker'
import type { WorkerOptions } from '#worker-options'
import { DataSourceError } from '#errors'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

/** A store whose database may be silent, or without its table. */
class TroubledStore extends WatchedStore {
  silence: Promise<void> | undefined
  isBroken = false

  override async exchange(
    outcomes: readonly Outcome[],
    limit: number,
    filter: ClaimFilter,
  ): Promise<Exchange> {
    await this.silence
    if (this.isBroken) throw new DataSourceError('The table is not there.', 'Make it.')
    return super.exchange(outcomes, limit, filter)
  }
}

class TroubledBackend extends DummyBackend {
  override async openStore(): Promise<Store> {
    return store
  }
}

let store: TroubledStore
let clock: ManualClock
const SECOND = 1_000
const MINUTE = 60 * SECOND

const gates = new Map<number, () => void>()
const gated = task(
  'spec.healthGated',
  (nr: number) => new Promise<void>((resolve) => void gates.set(nr, resolve)),
)

beforeEach(() => {
  catchLog()
  clock = ManualClock.install()
  store = new TroubledStore()
  configureTasks({ default: { BACKEND: TroubledBackend } })
})
afterEach(() => setClock())

async function started(options: WorkerOptions = {}): Promise<RunningWorker> {
  const opened = await openWorker({ workerId: 'w-1', ...options })
  return opened.start()
}

/** Live, ready, and why not. */
function told(worker: RunningWorker): unknown[] {
  const { live, ready, problems } = worker.health()
  return [live, ready, ...problems]
}

const SILENT = expect.stringMatching(/^Its backend has not answered since 20\S+Z\.$/) as string

describe('the health of a worker', () => {
  it('is live from the start, and ready once it was answered', async () => {
    let answer = (): void => {}
    store.silence = new Promise((resolve) => (answer = resolve))
    const worker = await started()
    const before = worker.health()
    answer()
    store.silence = undefined
    await clock.advance(SECOND)

    expect(before).toMatchObject({ live: true, ready: false, started: false, lastExchangeAt: null })
    expect(before.problems).toEqual(['It has had no answer yet as it asked for tasks.'])
    expect(worker.health()).toEqual({
      live: true,
      ready: true,
      started: true,
      problems: [],
      state: 'running',
      workerId: 'w-1',
      startedAt: expect.any(Date) as Date,
      running: 0,
      lastExchangeAt: expect.any(Date) as Date,
      eventLoopDelayMs: 0,
      database: 'up',
      databaseSince: expect.any(Date) as Date,
      paused: [],
    })
    await worker.stop()
  })

  it('is live for as long as the database is away, and ready when it is back', async () => {
    const worker = await started()
    await clock.advance(SECOND)
    store.failures = Number.POSITIVE_INFINITY
    for (let minute = 0; minute < 10; minute++) {
      await clock.advance(MINUTE)
      expect(told(worker)).toEqual([true, false, SILENT])
    }
    expect(worker.health().database).toBe('away')

    store.failures = 0
    // Also in the moment of the first answer, long after the loop has advanced last.
    for (let step = 0; step < 300; step++) {
      await clock.advance(SECOND / 10)
      expect(worker.health().live).toBe(true)
    }

    expect(told(worker)).toEqual([true, true])
    await worker.stop()
  })

  it('is not live once an exchange is under way for longer than any store lets it', async () => {
    const worker = await started()
    await clock.advance(SECOND)
    store.silence = new Promise(() => {})
    await clock.advance(59 * SECOND)
    const before = told(worker)

    await clock.advance(5 * SECOND)

    expect(before).toEqual([true, true])
    expect(told(worker)).toEqual([
      false,
      false,
      expect.stringMatching(/loop has stood still for 6\d s/),
    ])
  })

  it('is live while its tasks take hours and leave no room for others', async () => {
    for (let nr = 0; nr < 3; nr++) store.add(gated.name, [nr])
    const worker = await started({ concurrency: 3 })
    await clock.advance(60 * MINUTE)

    expect(told(worker)).toEqual([true, true])
    expect(worker.health().running).toBe(3)

    for (const open of gates.values()) open()
    await clock.advance(MINUTE)
    expect([told(worker), worker.health().running]).toEqual([[true, true], 0])
    await worker.stop()
  })

  it('allows for a long interval, and for a process that stood still', async () => {
    const worker = await started({ interval: 30 * SECOND })
    await clock.advance(10 * MINUTE)
    expect(told(worker)).toEqual([true, true])

    await clock.leap(60 * MINUTE)

    expect(told(worker)).toEqual([true, true])
    await worker.stop()
  })

  it('is live and not ready while it stops, and after that', async () => {
    store.add(gated.name, [7])
    const worker = await started()
    await clock.advance(SECOND)

    const stopped = worker.stop()
    await clock.advance(20 * SECOND)
    expect(told(worker)).toEqual([true, false, 'It is stopping.'])

    gates.get(7)?.()
    await stopped
    await settled()
    expect(told(worker)).toEqual([true, false, 'It has ended.'])
  })

  it('is not live once the worker has failed, and till then not ready', async () => {
    const worker = await started()
    await clock.advance(SECOND)
    store.isBroken = true
    await clock.advance(2 * SECOND)
    expect(told(worker)).toEqual([true, false, SILENT])

    await clock.advance(2 * SECOND)

    expect(told(worker)).toEqual([false, false, 'It has failed; its log says why.', SILENT])
    expect(worker.health().state).toBe('failed')
  })
})
