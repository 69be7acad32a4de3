import {
  type FlowFailure,
  type FlowOutcome,
  group,
  pruneResults,
  runUntilEmpty,
  startWorker,
  task,
} from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import type { Ground } from './ground'

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

/** What flows are on any backend that has workers. The backend is configured, and empty. */
export function flowContract(ground: Ground): void {
  beforeEach(() => {
    failing = new Set()
    ran = []
  })
  afterEach(() => ground.clear())

  const drain = () => runUntilEmpty({ queues: '*' as never, concurrency: 10 })
  const members = (values: number[]) => group(values.map((value) => double.order(value)))
  const failures = async (): Promise<number> =>
    (await ground.all()).filter(({ status }) => status === 'FAILED').length

  it('what comes after a group gets what its members return, in their order, and nothing before', async () => {
    const handle = await members([1, 2, 3, 4, 5])
      .next((values) => sum.order(values, 100))
      .next((total) => note.order(total))
      .enqueue()

    const waiting = await ground.all()
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
    expect(await ground.all()).toHaveLength(5)
    await drain()

    expect(ran).toEqual([
      [
        { status: 'fulfilled', value: 2 },
        { status: 'fulfilled', value: 4 },
      ],
    ])
    expect((await ground.all()).map(({ status }) => status)).toEqual(Array(3).fill('SUCCESSFUL'))
  })

  it('one that is retried by hand, and succeeds, revives what failed because of it', async () => {
    failing = new Set([2])
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .next((total) => note.order(total))
      .enqueue()
    await drain()
    expect(await failures()).toBe(3)

    failing.clear()
    const [, second] = await handle.results()
    await backends.get('default').retry(second!.id)
    await drain()

    expect(ran).toEqual([6])
    expect((await handle.last.refresh()).status).toBe('SUCCESSFUL')
    expect(await failures()).toBe(0)
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

    const before = await ground.all()
    await expect(retry(step!.id)).rejects.toThrow(
      `waits for task ${first!.id} (flows.double), which`,
    )
    expect(await ground.all()).toEqual(before)
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
    const told = (await ground.all()).find(({ taskPath }) => taskPath === 'flows.failed')
    expect([told?.status, told?.traceback]).toEqual(['FAILED', expect.stringContaining('retried')])
  })

  it('what another program finishes, which settles nothing, is settled by the next look', async () => {
    const handle = await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const results = await handle.results()
    for (const [i, { id }] of results.slice(0, 2).entries()) await ground.succeed(id, i)

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
    for (const member of [one, two]) await ground.succeed(member!.id, 5)
    const store = await backends.get('default').openStore({ leaseSeconds: 1 })
    expect(await store.settleWaiting?.()).toEqual({ due: 1, waiting: 1 })
    const filter = { workerId: 'lost', queues: null, excludeQueues: [] }
    expect((await store.exchange([], 1, filter)).claimed).toHaveLength(1)
    await store.close()

    const worker = await startWorker({ interval: 0.05 })
    await handle.wait({ timeout: 20_000 })
    await worker.stop()
    expect([handle.last.returnValue, handle.last.attempts]).toEqual([10, 2])
  }, 30_000)

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
    for (const { id } of results.slice(0, 2)) await ground.succeed(id, 1, new Date(0))

    expect(await pruneResults({ queues: '*', minAge: 0 })).toBe(0)
    await ground.succeed(handle.last.id, 2, new Date(0))
    expect(await pruneResults({ queues: '*', minAge: 0 })).toBe(3)
    expect(await ground.all()).toEqual([])
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
    expect(await ground.all()).toHaveLength(1 + 10 * 3 + 10 + 20)
    await drain()
    expect((await before.refresh()).status).toBe('SUCCESSFUL')
    expect(ran).toEqual(Array(10).fill([2, 2]))
  })
}
