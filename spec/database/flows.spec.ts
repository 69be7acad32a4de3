import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type FlowFailure,
  type FlowOutcome,
  group,
  pruneResults,
  runUntilEmpty,
  startWorker,
  task,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import { dashed, NO_DELAY } from '#formats'
import { dialectFor } from '#dialect-for'
import { Portable } from '#portable/dialect'
import { Session } from '#session'
import { tableOf } from '#database/table'
import type { AfterRow } from '../../backends/database/dialects/flow-verbs'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

let failing = new Set<number>()
let ran: unknown[] = []
const double = task('flows.double', (value: number) => {
  if (failing.has(value)) throw new RangeError(`no ${value}`)
  return 2 * value
})
const sum = task('flows.sum', (values: readonly number[], more: number) =>
  values.reduce((all, value) => all + value, more),
)
const nested = task('flows.nested', (values: unknown) => JSON.stringify(values))
const same = task('flows.same', (value: string) => value)
const note = task('flows.note', (value: unknown) => void ran.push(value))
const failed = task('flows.failed', (failure: FlowFailure) => void ran.push(failure))
const finished = task(
  'flows.finished',
  (outcomes: readonly FlowOutcome<unknown>[]) => void ran.push(outcomes),
)

describeEachDatabase(({ name, connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  beforeEach(() => {
    failing = new Set()
    ran = []
  })
  afterEach(() => rows().clear())

  const rows = () => dataSource.getRepository(DBTaskResult)
  const drain = () => runUntilEmpty({ queues: '*' as never, concurrency: 10 })
  const members = (values: number[]) => group(values.map((value) => double.order(value)))

  it('what comes after a group gets what its members return, in their order, and nothing before', async () => {
    const handle = await members([1, 2, 3, 4, 5])
      .next((values) => sum.order(values, 100))
      .next((total) => note.order(total))
      .enqueue()

    const waiting = await rows().find({ order: { id: 'ASC' } })
    expect(waiting.map(({ status }) => status)).toEqual(Array(7).fill('READY'))
    expect((await handle.results()).map(({ isWaiting }) => isWaiting)).toEqual([
      ...Array<boolean>(5).fill(false),
      true,
      true,
    ])
    expect(handle.last).toMatchObject({ isWaiting: true, runAfter: null, args: [null] })
    await drain()

    expect(ran).toEqual([130])
    expect((await handle.wait({ timeout: 1_000 })).progress).toEqual({ done: 7, total: 7 })
    await handle.results()
    expect(handle.progress).toEqual({ done: 7, total: 7 })
  })

  it('members have options only where their keys do not say all, and are followed in either case', async () => {
    await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const noted = (value: number) => note.order(value)
    const told = (failure: FlowFailure) => failed.order(failure)
    await double.order(3).onFailure(told).enqueue()
    await double.using({ timeLimit: 60_000 }).order(4).next(noted).enqueue()
    await double
      .order(5)
      .next((value) => double.order(value))
      .next(noted)
      .enqueue()

    const all = await rows().find({ order: { id: 'ASC' } })
    const flowOf = ({ options }: DBTaskResult): string =>
      options
        ? Object.keys((options as { flow: object }).flow)
            .toSorted()
            .join(' ')
        : 'none'
    const ofEach = ['none', 'none', 'awaits', 'member', 'awaits', 'member', 'awaits', 'none']
    expect(all.map(flowOf)).toEqual([...ofEach, 'awaits member', 'awaits'])
    await drain()

    expect(ran.toSorted()).toEqual([20, 8])
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(9)
  })

  it.each([
    ['large', 'x'.repeat(5_000), 3],
    ['many', 'x', 150],
  ])('values that are %s are handed on whole', async (_what, value, count) => {
    const values = Array.from({ length: count }, (_, i) => value + i)
    const all = () => group(values.map((each) => same.order(each)))
    await all()
      .next((each) => note.order(each))
      .enqueue()
    await all()
      .onFinished((outcomes) => finished.order(outcomes))
      .enqueue()
    await drain()

    expect(ran).toHaveLength(2)
    expect(ran).toContainEqual(values)
    expect(ran).toContainEqual(values.map((each) => ({ status: 'fulfilled', value: each })))
  })

  it('a chain hands on one value, a group within a group a list of its own', async () => {
    const inner = group([double.order(2), double.order(3)])
    const chain = double.order(4).next((value) => double.order(value))
    const handle = await group([double.order(1), inner, chain, group([])])
      .next((values) => nested.order(values))
      .enqueue()
    await drain()

    expect((await handle.last.refresh()).returnValue).toBe('[2,[4,6],16,[]]')
  })

  it('an empty group is followed at once', async () => {
    const { last } = await group([])
      .next((values) => nested.order(values))
      .enqueue()
    await drain()
    expect((await last.refresh()).returnValue).toBe('[]')
  })

  it('what follows one that failed is FAILED, and callbacks are told what failed first', async () => {
    failing = new Set([2, 3])
    const handle = await members([1, 2, 3])
      .next((values) => sum.order(values, 0))
      .next((total) => note.order(total))
      .onFailure((failure) => failed.order(failure))
      .onFinished((outcomes) => finished.order(outcomes))
      .enqueue()
    await drain()

    const results = await handle.results()
    const [, second] = results
    expect(results.map(({ status }) => status)).toEqual([
      'SUCCESSFUL',
      'FAILED',
      'FAILED',
      'FAILED',
      'FAILED',
    ])
    for (const { errors } of results.slice(3)) {
      expect(errors.at(-1)?.exceptionClassPath).toBe('typeorm_tasks.PreviousFailed')
      expect(errors.at(-1)?.traceback).toContain(
        `Task ${second?.id} (flows.double), which it waited for, has failed: RangeError: no 2`,
      )
    }
    const failure = {
      id: second?.id,
      taskName: 'flows.double',
      error: expect.objectContaining({ exceptionClassPath: 'RangeError' }),
    }
    expect(ran).toHaveLength(2)
    expect(ran).toEqual(
      expect.arrayContaining([failure, [{ status: 'rejected', reason: failure }]]),
    )
  })

  it('a callback for failures is deleted unrun where all went well, with what would follow it', async () => {
    await members([1, 2])
      .onFailure((failure) => failed.order(failure).next((value) => note.order(value)))
      .onFinished((outcomes) => finished.order(outcomes))
      .enqueue()
    expect(await rows().count()).toBe(5)
    await drain()

    expect(ran).toEqual([
      [
        { status: 'fulfilled', value: 2 },
        { status: 'fulfilled', value: 4 },
      ],
    ])
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(3)
    expect(await rows().count()).toBe(3)
  })

  it('one that is retried by hand, and succeeds, revives what failed because of it', async () => {
    failing = new Set([2])
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .next((total) => note.order(total))
      .enqueue()
    await drain()
    expect(await rows().countBy({ status: 'FAILED' })).toBe(3)

    failing.clear()
    const [, second] = await handle.results()
    await backends.get('default').retry(second!.id)
    await drain()

    expect(ran).toEqual([6])
    expect((await handle.last.refresh()).status).toBe('SUCCESSFUL')
    expect(await rows().countBy({ status: 'FAILED' })).toBe(0)
  })

  it('a step that is retried by hand waits for what it waited for, and never runs without it', async () => {
    failing = new Set([1])
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .next((total) => note.order(total))
      .enqueue()
    await drain()
    const [first, , step, last] = await handle.results()
    const retry = (id: string) => backends.get('default').retry(id)

    const before = await rows().find()
    await expect(retry(step!.id)).rejects.toThrow(
      `waits for task ${first!.id} (flows.double), which`,
    )
    expect(await rows().find()).toEqual(before)
    failing = new Set()
    await retry(first!.id)
    expect((await retry(step!.id)).isWaiting).toBe(true)
    expect((await retry(last!.id)).isWaiting).toBe(true)
    await drain()
    expect(ran).toEqual([6])
    expect((await handle.results()).map(({ status }) => status)).toEqual(
      Array(4).fill('SUCCESSFUL'),
    )
  })

  it('a cancelled flow can be retried from its beginning on, and only so', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .next((total) => note.order(total))
      .enqueue()
    await handle.cancel()
    const ids = (await handle.results()).map(({ id }) => id)
    for (const id of ids.slice(2).toReversed())
      await expect(backends.get('default').retry(id)).rejects.toThrow('Retry that one first')
    for (const id of ids) await backends.get('default').retry(id)
    await drain()
    expect(ran).toEqual([6])
  })

  it('a callback is not told of what has been retried meanwhile', async () => {
    const handle = await double
      .order(1)
      .onFailure((failure) => failed.order(failure))
      .enqueue()
    await handle.last.cancel()
    await backends.get('default').retry(handle.last.id)
    await drain()
    expect(ran).toEqual([])
    const told = await rows().findOneByOrFail({ taskPath: 'flows.failed' })
    expect([told.status, told.traceback]).toEqual(['FAILED', expect.stringContaining('retried')])
  })

  it('keys and options of another program are no flow, and keep none from going on', async () => {
    const rubbish = await note.enqueueMany([[1], [2], [3]])
    await runUntilEmpty()
    const keys = ['g"}', 'g', `g${'a'.repeat(31)}"`]
    for (const [i, { id }] of rubbish.entries())
      await rows().update({ id }, { uniqueKey: keys[i]! })
    await members([1])
      .next((values) => sum.order(values, 0))
      .enqueue()
    if (name === 'sqlite' || name === 'mariadb') {
      const { id } = await note.enqueue(0)
      await dataSource.query(
        `UPDATE db_task_result SET options = '{"awaits"' WHERE id = '${dataSource.options.type === 'mariadb' ? id : id.replaceAll('-', '')}' OR id = '${id}'`,
      )
    }
    await drain()
    expect(await rows().countBy({ status: 'SUCCESSFUL', taskPath: 'flows.sum' })).toBe(1)
    await pruneResults({ minAge: 0, queues: '*' as never })
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(0)
  })

  it('what a Django worker finishes, which settles nothing, is settled by the next look', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const results = await handle.results()
    for (const [i, { id }] of results.slice(0, 2).entries())
      await rows().update({ id }, { status: 'SUCCESSFUL', returnValue: i as never })

    const worker = await startWorker({ startupDelay: 0 })
    await handle.wait({ timeout: 20_000 })
    await worker.stop()
    expect(handle.last.returnValue).toBe(1)
  })

  it('a step whose worker was lost runs again, with its values', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const [one, two] = await handle.results()
    for (const member of [one, two])
      await rows().update(
        { id: member!.id },
        { status: 'SUCCESSFUL', returnValue: 5, finishedAt: new Date() },
      )
    const lost = { runAfter: NO_DELAY, claims: 1, workerIds: ['lost'], startedAt: new Date(0) }
    await rows().update(
      { id: handle.last.id },
      { ...lost, status: 'RUNNING', leaseUntil: new Date(0) },
    )

    const worker = await startWorker({ interval: 0.05 })
    await handle.wait({ timeout: 20_000 })
    await worker.stop()
    expect([handle.last.returnValue, handle.last.attempts]).toEqual([10, 2])
  }, 30_000)

  it('in a transaction that is rolled back nothing is written', async () => {
    await dataSource
      .transaction(async (manager) => {
        await members([1, 2])
          .next((values) => sum.order(values, 0))
          .enqueue({ manager })
        throw new Error('taken back')
      })
      .catch(() => {})
    expect(await rows().count()).toBe(0)
  })

  it('cancelling ends what waits and what has not begun, and callbacks run', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .onFailure((failure) => failed.order(failure))
      .enqueue()
    await handle.cancel()
    await drain()

    const errors = (await handle.results()).map(
      (result) => result.errors.at(-1)?.exceptionClassPath,
    )
    expect(errors).toEqual(Array(3).fill('typeorm_tasks.TaskCancelled'))
    expect(ran).toMatchObject([{ taskName: 'flows.sum' }])
  })

  it('prune leaves members that somebody waits for', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const results = await handle.results()
    for (const { id } of results.slice(0, 2))
      await rows().update({ id }, { status: 'SUCCESSFUL', finishedAt: new Date(0) })

    expect(await pruneResults({ queues: '*', minAge: 0 })).toBe(0)
    await rows().update({ id: handle.last.id }, { status: 'SUCCESSFUL', finishedAt: new Date(0) })
    expect(await pruneResults({ queues: '*', minAge: 0 })).toBe(3)
  })

  it('flows and tasks that are enqueued at the same time have nothing to do with each other', async () => {
    const before = await double.enqueue(0)
    const clashing = group([double.order(1), sum.order([], 2)]).next((both) => note.order(both))
    const all = await Promise.allSettled([
      ...Array.from({ length: 10 }, () => clashing.enqueue()),
      ...Array.from({ length: 10 }, (_, i) => double.enqueue(i)),
      ...Array.from({ length: 10 }, (_, i) => double.enqueueMany([[i], [i]])),
    ])
    expect(all.filter(({ status }) => status === 'rejected')).toEqual([])
    expect(await rows().count()).toBe(1 + 10 * 3 + 10 + 20)
    await drain()
    expect((await before.refresh()).status).toBe('SUCCESSFUL')
    expect(ran).toEqual(Array(10).fill([2, 2]))
  })

  it('a look at what waits goes through all priorities, whatever was enqueued first', async () => {
    const later = [5, 0, -5].map((priority) =>
      members([1]).next((values) => sum.using({ priority }).order(values, 0)),
    )
    const ids: string[] = []
    for (const flow of [...later, ...later]) ids.push((await flow.enqueue()).last.id)

    const table = await tableOf(dataSource)
    // Elsewhere rows have microseconds, which the portable dialect does not write, nor read.
    const portable = name === 'sqlite' ? [new Portable(table)] : []
    for (const dialect of [dialectFor(table), ...portable]) {
      const waiting = dialect.flowRows(new Session(dataSource))
      const seen: string[] = []
      for (let after: AfterRow = null; seen.length <= ids.length;) {
        const [row] = await waiting.waiting('default', after, 1)
        if (!row) break
        seen.push(dashed(row.row_key))
        after = row
      }
      expect(seen.toSorted()).toEqual(ids.toSorted())
      expect(await waiting.waiting('default', null, 100)).toHaveLength(ids.length)
    }
  })
})
