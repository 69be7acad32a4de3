import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type FlowFailure,
  group,
  runUntilEmpty,
  schedule,
  task,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { NO_DELAY } from '#formats'
import { backends } from '../../lib/backend-registry'
import type { Browser } from '../../lib/browser'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'
import { addTimed } from '../support/timed-rows'

const double = task('browsed.double', (value: number) => 2 * value)
const sum = task('browsed.sum', (values: readonly number[]) => values.length)
const note = task('browsed.note', (_value: unknown) => {})
const alert = task('browsed.alert', (_failure: FlowFailure) => {})

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource
  let browser: Browser

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    browser = await backends.get('default').openBrowser()
  })
  afterEach(() => rows().clear())
  afterAll(() => browser.close())

  const rows = () => dataSource.getRepository(DBTaskResult)
  const left = async () => (await rows().find()).map(({ id }) => id).toSorted()
  const ids = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id)
  const drain = () => runUntilEmpty({ queues: '*' as never, concurrency: 10 })

  it('shows what is before, beside and after a task in its flow', async () => {
    const handle = await group([1, 2, 3].map((value) => double.order(value)))
      .next((values) => sum.order(values))
      .next((count) => note.order(count))
      .onFailure((failure) => alert.order(failure))
      .enqueue()
    const all = await handle.results()
    const [one, two, three, total, last] = ids(all)

    const ofMember = await browser.flow(two!)
    expect(ids(ofMember!.beside)).toEqual([one, three])
    expect(ofMember).toMatchObject({ before: [], beforeCount: 0, besideCount: 2 })
    expect(ids(ofMember!.after)).toContain(total)
    const ofSum = await browser.flow(total!)
    expect(ids(ofSum!.before)).toEqual([one, two, three])
    expect(ofSum).toMatchObject({ beforeCount: 3, beside: [], besideCount: 0 })
    expect(ids(ofSum!.after)).toContain(last)
    const ofLast = await browser.flow(last!)
    expect(ids(ofLast!.before)).toEqual([total])
  })

  it('shows the first 200 members of a set, and counts all', async () => {
    const handle = await group(Array.from({ length: 250 }, (_, i) => double.order(i)))
      .next((values) => sum.order(values))
      .enqueue()
    const all = ids(await handle.results())

    const around = await browser.flow(all[250]!)
    expect(ids(around!.before)).toEqual(all.slice(0, 200))
    expect(around!.beforeCount).toBe(250)
    const beside = await browser.flow(all[0]!)
    expect(ids(beside!.beside)).toEqual(all.slice(1, 201))
    expect(beside!.besideCount).toBe(249)
  })

  it('shows no flow of a task that is in none, that is not there, or whose id is none', async () => {
    const { id } = await double.enqueue(1)
    expect(await browser.flow(id)).toBeNull()
    expect(await browser.flow(crypto.randomUUID())).toBeNull()
    expect(await browser.flow("' OR 1 = 1")).toBeNull()
  })

  it('deletes tasks that have finished or never began, of its own backend alone', async () => {
    const [ready, running, bad, done, foreign, kept] = await addTimed(dataSource, [
      {},
      { status: 'RUNNING' },
      { status: 'FAILED' },
      { status: 'SUCCESSFUL' },
      { backendName: 'other' },
      {},
    ])

    const asked = [ready, running, bad, done, foreign, crypto.randomUUID(), 'no id', ready]
    const gone = await browser.remove(asked.map((id) => id!))

    expect(gone.toSorted()).toEqual([ready, bad, done].toSorted())
    expect(await left()).toEqual([running, foreign, kept].toSorted())
    expect(await browser.remove([])).toEqual([])
  })

  it('deletes many at once', async () => {
    const many = await addTimed(
      dataSource,
      Array.from({ length: 450 }, () => ({})),
    )
    expect((await browser.remove(many)).toSorted()).toEqual(many.toSorted())
    expect(await left()).toEqual([])
  })

  it('deletes no task that others of its flow still need, so that none waits for ever', async () => {
    const handle = await group([1, 2].map((value) => double.order(value)))
      .next((values) => sum.order(values))
      .enqueue()
    const all = ids(await handle.results())
    expect(await browser.remove(all)).toEqual([])
    await rows().update({ id: all[0]! }, { status: 'SUCCESSFUL', finishedAt: new Date() })
    expect(await browser.remove(all)).toEqual([])

    await backends.get('default').cancel((await handle.results())[1]!)

    expect((await handle.results()).map(({ status }) => status)).toEqual([
      'SUCCESSFUL',
      'FAILED',
      'FAILED',
    ])
    expect((await browser.remove(all)).toSorted()).toEqual(all.toSorted())
    expect(await left()).toEqual([])
  })

  it('deletes a whole flow once it has ended', async () => {
    const handle = await double
      .order(1)
      .next((value) => note.order(value))
      .enqueue()
    await drain()
    const all = ids(await handle.results())
    expect(await browser.remove(all)).toHaveLength(2)
  })

  it('keeps the newest run of a schedule, by which it is known what is due next', async () => {
    const nightly = schedule('browsed.nightly', double, { every: 60_000, args: [1] })
    const [older, newer] = [
      await nightly.enqueueSlot(new Date(Date.now() - 120_000), false),
      await nightly.enqueueSlot(new Date(Date.now() - 60_000), false),
    ]
    expect(await browser.remove([older.id, newer.id])).toEqual([older.id])
  })

  it('sets the priority of tasks that are READY, and of no others', async () => {
    const [ready, waiting, running, done, foreign] = await addTimed(dataSource, [
      {},
      { runAfter: new Date(Date.now() + 60_000) },
      { status: 'RUNNING' },
      { status: 'SUCCESSFUL' },
      { backendName: 'other' },
    ])
    const all = [ready, waiting, running, done, foreign].map((id) => id!)

    expect((await browser.prioritise(all, -7)).toSorted()).toEqual([ready, waiting].toSorted())

    const found = await rows().find({ order: { id: 'ASC' } })
    expect(found.map(({ priority }) => priority)).toEqual([-7, -7, 0, 0, 0])
    expect(found[0]!.runAfter).toEqual(NO_DELAY)
    expect(await browser.prioritise([], 1)).toEqual([])
  })

  it.each([101, -101, 0.5, Number.NaN])('refuses the priority %s', async (priority) => {
    const { id } = await double.enqueue(1)
    await expect(browser.prioritise([id], priority)).rejects.toThrow('from -100 to 100')
  })
})
