import { DummyBackend } from '#dummy'
import { setClock } from '#clock'
import type { ClaimedTask } from '#claimed-task'
import { task } from '#define'
import { Leases } from '#leases'
import type { Held, Outcome, ProgressNote, Renewed, Reported } from '#lib/store'
import { ProgressNotes } from '#progress'
import { TaskPool } from '#task-pool'
import { ManualClock, settled } from '../../support/manual-clock'
import { catchLog, type Line } from '../../support/tasks'
import { WatchedStore } from '../../support/watched-store'

interface Run {
  readonly report: (done: number) => void
  readonly signal: AbortSignal
  readonly end: () => void
}
const runs = new Map<string, Run>()
const gated = task(
  'leases.gated',
  (context) =>
    new Promise<void>((end) =>
      runs.set(context.taskResult.id, {
        signal: context.signal,
        report: (done) => context.reportProgress(done),
        end,
      }),
    ),
  { takesContext: true },
)

/** Notes what each renewal and each report asks for; a spec may answer in its place. */
class AskedStore extends WatchedStore {
  readonly renewed: string[][] = []
  readonly reports: string[][] = []
  /** The keys of rows that somebody else has locked. */
  readonly locked = new Set<string>()
  delay = (): Promise<void> => Promise.resolve()
  reporting = async (_notes: readonly ProgressNote[]): Promise<Reported> => ({
    later: [],
    refused: [],
  })

  override async renew(rows: readonly Held[]): Promise<Renewed> {
    this.renewed.push(rows.map(({ key }) => key))
    await this.delay()
    const unknown = rows.filter(({ key }) => this.locked.has(key))
    const answer = await super.renew(rows.filter((row) => !unknown.includes(row)))
    return { ...answer, unknown }
  }

  override async report(notes: readonly ProgressNote[]): Promise<Reported> {
    this.reports.push(notes.map(({ progress }) => progress))
    return this.reporting(notes)
  }
}

let clock: ManualClock
let lines: Line[]
let store: AskedStore
let pool: TaskPool
let tasks: ClaimedTask[]
let over: AbortController

function begin(count: number): string[] {
  pool = new TaskPool(new DummyBackend('default', { queues: [], options: {} }), count, null, 3)
  const rows = Array.from({ length: count }, () => store.claimed(store.add(gated.name)))
  pool.take(rows, clock.now())
  tasks = pool.at('waiting')
  pool.start()
  return rows.map(({ key }) => key)
}

beforeEach(() => {
  clock = ManualClock.install()
  lines = catchLog()
  over = new AbortController()
  runs.clear()
  store = new AskedStore()
})
afterEach(() => {
  over.abort()
  setClock()
})

describe('cancels that are heard of', () => {
  it('in one turn are asked for by one renewal', async () => {
    const keys = begin(2_100)
    new Leases(store, pool)
    const cancelled = keys.slice(0, 900)
    for (const key of cancelled) store.table.cancel(key)

    for (const key of cancelled) pool.ask(key)
    await settled()

    expect(store.renewed).toEqual([cancelled])
    expect([...runs.values()].filter(({ signal }) => signal.aborted)).toHaveLength(900)
  })

  it('while a renewal is under way wait for its answer, and are asked for together', async () => {
    const keys = begin(10)
    const leases = new Leases(store, pool)
    let answer = (): void => {}
    store.delay = () => new Promise((resolve) => (answer = resolve))
    void leases.renewAll()

    for (const key of keys.slice(0, 4)) {
      pool.ask(key)
      await settled()
    }
    expect(store.renewed).toEqual([keys])
    store.delay = () => Promise.resolve()
    answer()
    await settled()

    expect(store.renewed).toEqual([keys, keys.slice(0, 4)])
  })

  it('are asked for by the renewal of all, if that is due', async () => {
    const keys = begin(10)
    new Leases(store, pool)
    await clock.advance(10_000)

    for (const key of keys.slice(0, 4)) pool.ask(key)
    await settled()

    expect(store.renewed).toEqual([keys])
  })

  it('of rows that are not held are not asked for', async () => {
    begin(1)
    new Leases(store, pool)

    pool.ask('nowhere')
    await settled()

    expect(store.renewed).toEqual([])
  })
})

it('thousands of leases are renewed in portions of a thousand', async () => {
  begin(2_500)

  await new Leases(store, pool).renewAll()

  expect(store.renewed.map((keys) => keys.length)).toEqual([1_000, 1_000, 500])
})

describe('a row that somebody else has locked', () => {
  it('is tried again at each look, and goes on when it is free', async () => {
    const [first, second] = begin(2)
    void new Leases(store, pool).run(over.signal)
    store.locked.add(first!)
    await clock.advance(25_000)
    expect(store.renewed.filter((keys) => keys.includes(second!))).toHaveLength(2)
    expect(store.renewed.filter((keys) => keys.length === 1).length).toBeGreaterThan(20)

    store.locked.clear()
    await clock.advance(20_000)

    expect(runs.get(first!)!.signal.aborted).toBe(false)
    expect(tasks[0]!.heldAt).toBeGreaterThan(25_000)
    expect(warnings()).toEqual([])
  })

  it('is given up after its whole lease, and others are not', async () => {
    const [first, second] = begin(2)
    void new Leases(store, pool).run(over.signal)
    store.locked.add(first!)

    await clock.advance(29_900)
    expect(runs.get(first!)!.signal.aborted).toBe(false)
    await clock.advance(200)

    expect(runs.get(first!)!.signal.aborted).toBe(true)
    expect(runs.get(second!)!.signal.aborted).toBe(false)
  })

  it('is not taken for lost when its outcome was refused before', async () => {
    const [key] = begin(1)
    new Leases(store, pool)
    store.locked.add(key!)
    runs.get(key!)!.end()
    await settled()
    pool.settle(pool.send(), ['refused'])
    await settled()
    expect(store.renewed).toEqual([[key]])

    expect(tasks[0]!.stage).toBe('doubted')
  })
})

describe('progress', () => {
  it('is written apart from leases, the latest of each half second', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    for (const done of [1, 2, 3]) runs.get(key!)!.report(done)

    await clock.advance(2_000)

    expect(store.reports).toEqual([[noteOf(3)]])
    expect(store.renewed).toEqual([])
  })

  it('that could not be written is written later', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    store.reporting = () => Promise.reject(new Error('the database is away'))
    runs.get(key!)!.report(1)
    await clock.advance(600)

    store.reporting = async () => ({ later: [], refused: [] })
    await clock.advance(1_000)

    expect(store.reports).toEqual([[noteOf(1)], [noteOf(1)]])
  })

  it('that could not be written gives way to a newer one', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    store.reporting = async (notes) => ({ later: notes, refused: [] })
    runs.get(key!)!.report(1)
    await clock.advance(600)

    runs.get(key!)!.report(2)
    await clock.advance(500)

    expect(store.reports).toEqual([[noteOf(1)], [noteOf(2)]])
  })

  it('that is on its way when the task ends comes with the outcome as well', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    let fail = (): void => {}
    store.reporting = () =>
      new Promise((_, reject) => (fail = () => reject(new Error('the database is away'))))
    runs.get(key!)!.report(7)
    await clock.advance(600)

    runs.get(key!)!.end()
    fail()
    await settled()

    expect(outcomesOf(pool)).toMatchObject([{ status: 'SUCCESSFUL', progress: noteOf(7) }])
  })

  it('that was written does not come with the outcome', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    runs.get(key!)!.report(7)
    await clock.advance(600)

    runs.get(key!)!.end()
    await settled()

    expect(outcomesOf(pool)).toEqual([expect.not.objectContaining({ progress: noteOf(7) })])
  })

  it('of a row that somebody else has locked is not in the way of its renewal: it waits until that is answered', async () => {
    const [key, other] = begin(2)
    store.locked.add(key!)
    void new Leases(store, pool).run(over.signal)
    void new ProgressNotes(store, pool).run(over.signal)
    await clock.advance(store.leaseSeconds * 500)
    const before = store.reports.length

    runs.get(key!)!.report(1)
    runs.get(other!)!.report(2)
    await clock.advance(1_000)
    expect(store.reports.slice(before)).toEqual([[noteOf(2)]])

    store.locked.clear()
    await clock.advance(1_500)
    expect(store.reports.slice(before)).toEqual([[noteOf(2)], [noteOf(1)]])
  })

  it('that cannot be stored is dropped with one warning for each task', async () => {
    const [key] = begin(1)
    void new ProgressNotes(store, pool).run(over.signal)
    store.reporting = async (notes) => ({
      later: [],
      refused: notes.map((note) => ({ ...note, reason: 'no such character' })),
    })
    for (const done of [1, 2, 3]) {
      runs.get(key!)!.report(done)
      await clock.advance(500)
    }

    expect(store.reports).toEqual([[noteOf(1)], [noteOf(2)], [noteOf(3)]])
    expect(warnings()).toEqual([['warn', expect.stringContaining('no such character')]])
  })
})

function warnings(): Line[] {
  return lines.filter(([level]) => level === 'warn' || level === 'error')
}

function noteOf(done: number): string {
  return JSON.stringify({ done, total: null, note: null })
}

function outcomesOf(pool: TaskPool): Outcome[] {
  return pool.send().map(({ outcome }) => outcome)
}
