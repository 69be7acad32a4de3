import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import { task } from '#define'
import type { Exchange, Heartbeat, Judge, Rescued, WorkerRecord } from '#lib/store'
import { workerOf } from '#start-worker'
import type { Worker } from '#worker'
import { settingsOf, type WorkerOptions } from '#worker-options'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

const SECOND = 1_000
const LEASE = 30 * SECOND
/** The longest time between two looks while the gate is open. */
const LOOK = 13 * SECOND

task('spec.quick', async () => {})
task('spec.endless', () => new Promise<void>(() => {}))

/** A store with records, which says what it is told, and counts the looks for rows of lost workers. */
class RecordingStore extends WatchedStore {
  looks = 0
  readonly calls: string[] = []
  readonly records: WorkerRecord[] = []
  isAnyGone = false
  isUnsure = false
  left = 0
  beating = (): Promise<void> => Promise.resolve()
  readonly heartbeat: Heartbeat = {
    beat: async (record) => {
      this.calls.push('beat')
      this.records.push(record)
      await this.beating()
      return this.isAnyGone
    },
    leave: async (id) => void this.calls.push(`leave ${id}`),
  }

  override async exchange(...asked: Parameters<WatchedStore['exchange']>): Promise<Exchange> {
    this.calls.push('exchange')
    const exchange = await super.exchange(...asked)
    if (!this.isUnsure) return exchange
    this.isUnsure = false
    return { ...exchange, isUnsure: true }
  }

  override async rescue(judge: Judge): Promise<Rescued> {
    this.looks++
    return { ...(await super.rescue(judge)), left: this.left }
  }

  override async close(): Promise<void> {
    this.calls.push('close')
    await super.close()
  }
}

let clock: ManualClock
let lines: Line[]
let store: RecordingStore
let workers: Worker[]

beforeEach(() => {
  lines = catchLog()
  clock = ManualClock.install()
  store = new RecordingStore()
  workers = []
})
afterEach(() => {
  for (const worker of workers) void worker.forceStop()
  setClock()
})

function start(options: WorkerOptions = {}): { worker: Worker; done: Promise<unknown> } {
  const worker = workerOf(
    new DummyBackend('default', { queues: [], options: {} }),
    store,
    settingsOf({ workerId: 'w-1', ...options }),
  )
  workers.push(worker)
  return { worker, done: worker.run() }
}

/** A worker whose gate, which is open at its start, has closed. */
async function quietWorker(options?: WorkerOptions): Promise<ReturnType<typeof start>> {
  const started = start(options)
  await clock.advance(2 * LEASE + LOOK)
  store.looks = 0
  return started
}

describe('a worker with a record', () => {
  it('looks for rows of lost workers at its start for two leases, and then once in five minutes', async () => {
    start()
    await settled()
    expect(store.looks).toBe(1)
    await clock.advance(2 * LEASE)
    expect(store.looks).toBeGreaterThan(4)

    await clock.advance(LOOK)
    store.looks = 0
    await clock.advance(60 * 60 * SECOND)
    // Between 3.5 and 6.5 minutes lie between two.
    expect(store.looks).toBeGreaterThanOrEqual(9)
    expect(store.looks).toBeLessThanOrEqual(18)
  })

  it('does not look while it is busy, either', async () => {
    await quietWorker({ concurrency: 2 })
    store.add('spec.endless')
    for (let second = 0; second < 120; second++) {
      store.add('spec.quick')
      await clock.advance(SECOND)
    }

    expect(store.kept).toHaveLength(120)
    expect(store.looks).toBe(0)
    expect(store.records.at(-1)).toMatchObject({ running: 1, concurrency: 2 })
  })

  it('looks as soon as a heartbeat tells of an expired record, and as long as one does', async () => {
    await quietWorker()
    store.isAnyGone = true
    await clock.advance(11 * SECOND)
    expect(store.looks).toBeGreaterThanOrEqual(1)
    await clock.advance(2 * LEASE)
    expect(store.looks).toBeGreaterThanOrEqual(5)

    store.isAnyGone = false
    await clock.advance(30 * SECOND + LOOK)
    store.looks = 0
    await clock.advance(60 * SECOND)
    expect(store.looks).toBe(0)
  })

  it.each<[string, (store: RecordingStore) => void]>([
    ['a claim whose answer was lost', (disturbed) => void (disturbed.failures = 1)],
    ['a claim that may have brought more', (disturbed) => void (disturbed.isUnsure = true)],
    [
      'a refused outcome',
      (disturbed) => {
        const row = disturbed.add('spec.quick')
        disturbed.meanwhile = () => disturbed.table.cancel(row.key)
      },
    ],
    [
      'a release that failed',
      (disturbed) => {
        disturbed.failedReleases = 1
        disturbed.add('spec.unknown')
      },
    ],
  ])(
    'looks until the lease has ended of a row that it may have left behind: %s',
    async (_, disturb) => {
      await quietWorker()
      disturb(store)
      await clock.advance(SECOND)
      store.looks = 0
      // From the end of that lease on.
      await clock.advance(LEASE)
      const before = store.looks
      await clock.advance(LOOK)
      expect(store.looks).toBeGreaterThan(before)
    },
  )

  it('looks on while there are rows that it cannot take over', async () => {
    await quietWorker()
    store.left = 1
    store.isAnyGone = true
    await clock.advance(11 * SECOND)
    store.isAnyGone = false
    store.looks = 0
    await clock.advance(2 * 60 * SECOND)
    expect(store.looks).toBeGreaterThanOrEqual(9)
  })

  it('claims nothing before its record stands, nor after a standstill before it stands again', async () => {
    let stand = (): void => {}
    store.beating = () => new Promise((resolve) => (stand = resolve))
    start()
    await settled()
    expect(store.calls).toEqual(['beat'])
    stand()
    await settled()
    expect(store.calls).toEqual(['beat', 'exchange'])

    store.calls.length = 0
    await clock.leap(45 * SECOND)
    expect(store.calls).toEqual(['beat'])
    stand()
    await settled()
    expect(store.calls).toEqual(['beat', 'exchange'])
  })

  it('deletes its record last of all, and its id is its own', async () => {
    const [one, two, random] = [start(), start(), start({ workerId: undefined })]
    await settled()
    for (const { worker } of [one, two, random]) worker.stop()
    await clock.advance(SECOND)
    await Promise.all([one, two, random].map(({ done }) => done))

    const ids = store.records.map(({ id }) => id)
    expect(ids.filter((id) => /^w-1\/\w{8}$/.test(id))).toHaveLength(2)
    expect(ids.filter((id) => /^\w{32}$/.test(id))).toHaveLength(1)
    expect(new Set(ids).size).toBe(3)
    expect(store.calls.slice(-6).toSorted()).toEqual(
      ['close', 'close', 'close', ...ids.map((id) => `leave ${id}`)].toSorted(),
    )
    expect(store.calls.lastIndexOf('exchange')).toBeLessThan(
      store.calls.findIndex((call) => call.startsWith('leave')),
    )
  })

  it('leaves its record to expire where rows could not be given back', async () => {
    store.add('spec.endless')
    const { worker } = await quietWorker()
    store.failedReleases = 1
    await worker.forceStop()
    await clock.advance(SECOND)

    expect(store.calls.at(-1)).toBe('close')
    expect(store.calls.filter((call) => call.startsWith('leave'))).toEqual([])
  })

  it('goes on without heartbeats, says so once, and looks as often as without records', async () => {
    await quietWorker()
    store.beating = () => Promise.reject(new Error('no such table'))
    await clock.advance(2 * LEASE)

    expect(store.looks).toBeGreaterThanOrEqual(4)
    expect(lines.filter(([, line]) => line.includes('record of this worker'))).toEqual([
      ['warn', 'The record of this worker could not be renewed: Error: no such table'],
    ])
    store.add('spec.quick')
    await clock.advance(SECOND)
    expect(store.kept).toHaveLength(1)
  })
})
