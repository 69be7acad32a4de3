import { setTimeout as sleep } from 'node:timers/promises'
import {
  pruneResults,
  schedule,
  type ScheduleOptions,
  startWorker,
  task,
  type TaskContext,
} from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import { PUNCTUAL_MS } from '../../lib/schedules/due'
import type { AnySchedule } from '../../lib/schedules/schedule'
import { schedules } from '../../lib/schedules/registry'
import { Firing } from '../../lib/worker/chores/schedules'
import type { Ground } from './ground'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const bare = task('slots.bare', () => {})
const ran: unknown[] = []
const told = task(
  'slots.told',
  ({ slot }: TaskContext, at: string) => void ran.push([slot?.at.toISOString() === at, slot?.late]),
  { takesContext: true },
)

/** What schedules are on any backend that can fire them. The backend is configured, and empty. */
export function scheduleContract(ground: Ground): void {
  let working = new AbortController()
  const workers: Promise<void>[] = []

  afterEach(async () => {
    await stop()
    schedules.clear()
    await ground.clear()
  })

  /** Workers, as far as schedules are concerned. */
  const start = (count = 1): void => {
    for (let i = 0; i < count; i++)
      workers.push(new Firing(backends.get('default')).run(working.signal))
  }

  async function stop(): Promise<void> {
    working.abort()
    await Promise.all(workers.splice(0))
    working = new AbortController()
  }

  /** The slots that have rows, of one schedule, in ms since 1970. */
  async function slotsOf({ name, id }: AnySchedule): Promise<number[]> {
    const found = await ground.all()
    return found
      .toSorted((a, b) => ((a.uniqueKey ?? '') < (b.uniqueKey ?? '') ? -1 : 1))
      .filter(({ uniqueKey }) => uniqueKey?.startsWith(`s${id}`))
      .map(({ uniqueKey, options, runAfter }) => {
        const slot = (options as { slot: { schedule: string; at: string } }).slot
        const at = Number.parseInt(uniqueKey!.slice(33), 16)
        expect([slot.schedule, Date.parse(slot.at), runAfter.getTime()]).toEqual([name, at, at])
        return at
      })
  }

  /** Waits until the workers have fired what is due now. */
  async function fires(fired: AnySchedule, slots: readonly number[]): Promise<void> {
    for (let i = 0; i < 200 && (await slotsOf(fired)).length < slots.length; i++) await sleep(50)
    await sleep(150)
    expect(await slotsOf(fired)).toEqual(slots)
  }

  const hourly = (more: Partial<ScheduleOptions<[]>> = {}) =>
    schedule('spec.hourly', bare, { every: HOUR_MS, ...more } as ScheduleOptions<[]>)

  /** Whole hours, counted from the one that began last. Waits out the last seconds of an hour, and the first ones: its slot is then no missed one. */
  async function hours(...counts: number[]): Promise<number[]> {
    const left = HOUR_MS - (Date.now() % HOUR_MS)
    if (left < 15_000) await sleep(left + 100)
    const begunMs = Date.now() % HOUR_MS
    if (begunMs <= PUNCTUAL_MS) await sleep(PUNCTUAL_MS + 1_000 - begunMs)
    const begun = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    return counts.map((count) => begun + count * HOUR_MS)
  }

  it('eight workers write one row for each slot, and run it once', async () => {
    ran.length = 0
    const each = schedule('spec.each', told, {
      every: 1_000,
      missed: 'all',
      args: ({ slot }) => [slot.toISOString()],
    })
    const whole = await Promise.all([startWorker(), startWorker()])
    start(6)
    const from = Date.now()
    for (let i = 0; i < 800 && ran.length < 3; i++) await sleep(50)
    const until = Date.now()
    await Promise.all(whole.map((worker) => worker.stop()))

    const slots = await slotsOf(each)
    expect(slots.length).toBeGreaterThanOrEqual(3)
    expect(slots).toEqual(slots.map((_, i) => slots[0]! + i * 1_000))
    expect(slots[0]! - from).toBeLessThan(20_000)
    expect(slots[2]!).toBeLessThanOrEqual(until)
    expect(ran.slice(0, 3)).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ])
  })

  it.each<[string, Partial<ScheduleOptions<[]>>, number[]]>([
    ['once', {}, [0]],
    ['all', { missed: 'all' }, [-2, -1, 0]],
    ['all, of the last two hours', { missed: 'all', within: 2 * HOUR_MS }, [-1, 0]],
    ['skip', { missed: 'skip' }, []],
  ])('after three missed slots: %s', async (_, options, expected) => {
    const [before = 0, ...missed] = await hours(-3, ...expected)
    const { isDuplicate } = await hourly(options).enqueueSlot(new Date(before), false)
    expect(isDuplicate).toBe(false)
    start(4)
    await fires(schedules.find('spec.hourly')!, [before, ...missed])
  })

  it('a slot that has a row gets no second one, whatever task another version of the app has', async () => {
    const [now = 0] = await hours(0)
    const first = await hourly().enqueueSlot(new Date(now), false)
    await ground.rename(first.id, 'slots.older')
    const second = await hourly().enqueueSlot(new Date(now), true)
    expect([second.id, second.isDuplicate]).toEqual([first.id, true])
    await ground.fail(first.id)
    expect((await hourly().enqueueSlot(new Date(now), true)).isDuplicate).toBe(true)
    expect(await ground.all()).toHaveLength(1)
  })

  it("overlap: 'skip' looks at the newest row: one that waits, and when one has finished", async () => {
    const [before = 0, middle = 0, now = 0] = await hours(-2, -1, 0)
    const each = hourly({ overlap: 'skip' })
    const { id } = await each.enqueueSlot(new Date(before), false)
    start()
    await fires(each, [before])
    await stop()

    await ground.succeed(id, null, new Date(middle + 60_000))
    start()
    await fires(each, [before, now])
  })

  it('two versions of an expression have histories of their own', async () => {
    const [old = 0, now = 0] = await hours(-3, 0)
    const zoned = (timeZone: string) =>
      schedule('spec.version', bare, { cron: '0 * * * *', timeZone })
    const [one, other] = [zoned('UTC'), zoned('Europe/Berlin')]
    await one.enqueueSlot(new Date(old), false)
    start()
    await fires(other, [])
    working.abort()
    working = new AbortController()
    schedules.add(one, [])
    start()
    await fires(one, [old, now])
  })

  it('pruning leaves the newest row of each schedule, so that no slot runs again', async () => {
    const [older = 0, old = 0, now = 0] = await hours(-2, -1, 0)
    const [each, yearly] = [
      hourly({ missed: 'all' }),
      schedule('spec.other', bare, { every: DAY_MS }),
    ]
    for (const at of [older, old, now]) await each.enqueueSlot(new Date(at), false)
    await yearly.enqueueSlot(new Date(0), false)
    await bare.enqueue()
    const longAgo = new Date(Date.now() - 30 * DAY_MS)
    for (const { id } of await ground.all()) await ground.succeed(id, null, longAgo)

    expect(await pruneResults()).toBe(3)
    expect([await slotsOf(each), await slotsOf(yearly)]).toEqual([[now], [0]])
    start()
    await fires(each, [now])
  })

  it("goes by the backend's clock", async () => {
    await hours(0)
    const real = Date.now
    const ahead = jest.spyOn(Date, 'now').mockImplementation(() => real() + 5 * HOUR_MS)
    try {
      const offset = (await backends.get('default').now()).getTime() - real()
      expect(Math.abs(offset)).toBeLessThan(2_000)
      const each = hourly({ missed: 'all' })
      start()
      await sleep(500)
      expect(await slotsOf(each)).toEqual([])
    } finally {
      ahead.mockRestore()
    }
  })
}
