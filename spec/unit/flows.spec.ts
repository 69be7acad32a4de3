import {
  configureTasks,
  type FlowFailure,
  type FlowOutcome,
  group,
  InvalidTaskError,
  NotSupportedError,
  setMiddleware,
  task,
  TaskBackend,
} from 'typeorm-tasks'
import { DummyBackend } from 'typeorm-tasks/backends/dummy'
import { ImmediateBackend } from 'typeorm-tasks/backends/immediate'
import { MemoryBackend } from '#memory/backend'
import { runUntilEmpty } from '#start-worker'
import { backends } from '../../lib/backend-registry'
import { catchLog } from '../support/tasks'

const double = task('flows.unit.double', (value: number) => {
  if (value < 0) throw new RangeError('negative')
  return 2 * value
})
const sum = task('flows.unit.sum', (values: readonly number[]) =>
  values.reduce((all, value) => all + value, 0),
)
const text = task('flows.unit.text', (value: unknown) => JSON.stringify(value))
const heard: unknown[] = []
const failed = task(
  'flows.unit.failed',
  (failure: FlowFailure) => void heard.push(failure.taskName),
)
const ended = task(
  'flows.unit.ended',
  (outcomes: readonly FlowOutcome<unknown>[]) => void heard.push(outcomes.map((o) => o.status)),
)

class Bare extends TaskBackend {
  async enqueue(): Promise<never> {
    throw new Error('not used')
  }
}

beforeAll(() => {
  catchLog()
  configureTasks({
    default: { BACKEND: ImmediateBackend },
    dummy: { BACKEND: DummyBackend },
    memory: { BACKEND: MemoryBackend },
    bare: { BACKEND: Bare },
  })
})
beforeEach(() => void heard.splice(0))

const on = (backend: string) => ({
  double: double.using({ backend }),
  sum: sum.using({ backend }),
  text: text.using({ backend }),
  failed: failed.using({ backend }),
  ended: ended.using({ backend }),
})

describe.each(['default', 'memory'])('a flow on the backend %s', (backend) => {
  const tasks = on(backend)
  const drain = async (): Promise<void> => {
    if (backend === 'memory') await runUntilEmpty({ backend, queues: '*' as never })
  }

  it('runs in order', async () => {
    const handle = await group([1, 2, 3].map((value) => tasks.double.order(value)))
      .next((values) => tasks.sum.order(values))
      .next((total) => tasks.text.order(total))
      .onFailure((failure) => tasks.failed.order(failure))
      .onFinished((outcomes) => tasks.ended.order(outcomes))
      .enqueue()
    await drain()

    expect((await handle.wait({ timeout: 1_000 })).last.returnValue).toBe('12')
    expect(heard).toEqual([['fulfilled']])
    await handle.results()
    expect(handle.progress).toEqual({ done: 5, total: 5 })
  })

  it('tells of a failure', async () => {
    const handle = await group([tasks.double.order(1), tasks.double.order(-1)])
      .next((values) => tasks.sum.order(values))
      .onFailure((failure) => tasks.failed.order(failure))
      .onFinished((outcomes) => tasks.ended.order(outcomes))
      .enqueue()
    await drain()

    await handle.results()
    expect(handle.last.errors[0]?.exceptionClassPath).toBe('typeorm_tasks.PreviousFailed')
    expect(heard).toHaveLength(2)
    expect(heard).toEqual(expect.arrayContaining(['flows.unit.double', ['rejected']]))
  })
})

it('the Dummy backend records a flow', async () => {
  const tasks = on('dummy')
  const handle = await group([tasks.double.order(1), tasks.double.order(2)])
    .next((values) => tasks.sum.order(values))
    .enqueue()
  expect((await handle.results()).map(({ status, isWaiting }) => [status, isWaiting])).toEqual([
    ['READY', false],
    ['READY', false],
    ['READY', true],
  ])
})

describe('a step', () => {
  it.each<[string, (value: never) => unknown]>([
    ['a property', (value: { id: number }) => double.order(value.id)],
    ['arithmetic', (value: number) => double.order(value + 1)],
    ['a text', (value: string) => text.order(`x${value}`)],
    ['a spread', (value: number[]) => text.order([...value])],
    ['a list around it', (value: number) => text.order([value])],
    ['an object around it', (value: number) => text.order({ value })],
    ['JSON', (value: unknown) => text.order(JSON.stringify(value))],
    ['a destructured value', ({ id }: { id: number }) => double.order(id)],
  ])('may not look at its value: %s', (_, step) => {
    expect(() => double.order(1).next(step as never)).toThrow(InvalidTaskError)
    expect(() => double.order(1).next(step as never)).toThrow('known only when the task runs')
  })

  it('may hand it on twice', async () => {
    const both = task('flows.unit.both', (one: number, two: number) => one + two)
    const { last } = await double
      .order(2)
      .next((value) => both.order(value, value))
      .enqueue()
    expect(last.returnValue).toBe(8)
  })

  it.each<[string, unknown, string]>([
    ['nothing', () => undefined, 'next: expected an order, got undefined.'],
    ['a promise', () => Promise.resolve(1), 'next: expected an order, got a promise.'],
    ['no function', 7, 'next: expected a function, got 7.'],
  ])('must give an order: %s', (_, step, told) => {
    expect(() => double.order(1).next(step as never)).toThrow(told)
  })
})

describe('a flow is refused', () => {
  it('if a value of another step is used in it', async () => {
    let kept = 0
    double.order(1).next((value) => {
      kept = value
      return double.order(value)
    })
    await expect(double.order(kept).enqueue()).rejects.toThrow('was given a value of another step')
    const skipping = double
      .order(1)
      .next((first) => double.order(1).next(() => double.order(first)))
    await expect(skipping.enqueue()).rejects.toThrow('was given a value of another step')
  })

  it('with orders of two backends', async () => {
    const flow = group([double.order(1), on('memory').double.order(2)])
    await expect(flow.enqueue()).rejects.toThrow('goes to the backend "memory", and')
  })

  it('with a key', () => {
    const keyed = double.using({ throttle: { key: 'x', every: 1 } })
    expect(() => keyed.order(1)).toThrow('Take it off: using({ throttle: null }).order(…).')
  })

  it('with more than 100,000 members, or none at all', async () => {
    const one = double.order(1)
    const told = 'A group has 100001 orders, and may have 100000.'
    expect(() => group(Array.from({ length: 100_001 }, () => one))).toThrow(told)
    const most = group(Array.from({ length: 100_000 }, () => one))
    await expect(group([most, one]).enqueue()).rejects.toThrow(told)
    await expect(group([]).enqueue()).rejects.toThrow('The flow has no orders')
    const then = double.order(1).next(() => group([]))
    await expect(then.next(() => double.order(1)).enqueue()).rejects.toThrow(
      'A step of the flow is a group without orders',
    )
  }, 20_000)

  it('where a group is no list of orders', () => {
    expect(() => group(7 as never)).toThrow('group: expected a list of orders, got 7.')
    expect(() => group([double] as never)).toThrow('group, member 0: expected an order, got')
    expect(() => group([double.enqueue(1)] as never)).toThrow(
      'member 0: expected an order, got a promise',
    )
  })

  it('with an option that enqueue has not', async () => {
    const flow = double.order(1)
    await expect(flow.enqueue({ manger: 1 } as never)).rejects.toThrow(
      'A flow, enqueue: unknown option "manger". Did you mean "manager"?',
    )
  })

  it('with one error, where a step is async, and gives out an order', async () => {
    const unhandled: unknown[] = []
    const hear = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', hear)
    const step = async (value: number): Promise<unknown> => double.order(value)
    expect(() => double.order(1).next(step as never)).toThrow('got a promise')
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('unhandledRejection', hear)
    expect(unhandled).toEqual([])
  })

  it('by a backend that has none', async () => {
    const flow = double.using({ backend: 'bare' }).order(1)
    await expect(flow.enqueue()).rejects.toThrow(NotSupportedError)
  })

  it('if a middleware keeps one of its orders', async () => {
    const result = await double.enqueue(1)
    const earlier = setMiddleware([
      { enqueue: async (order, next) => (order.args[0] === 7 ? result : next()) },
    ])
    const flow = group([double.order(7), double.order(1)]).enqueue()
    await expect(flow).rejects.toThrow('A middleware stored 1 of the 2 orders of a flow')
    setMiddleware(earlier)
  })

  it('when it is awaited: that enqueues nothing', async () => {
    await expect((async () => await (double.order(1) as unknown))()).rejects.toThrow(
      'An order, and a flow of orders, is a value: to await it enqueues nothing.',
    )
  })

  it('with callbacks within a group', async () => {
    const inner = double.order(1).onFailure((failure) => failed.order(failure))
    await expect(group([inner]).enqueue()).rejects.toThrow('Put it on the whole flow')
  })
})

it('an order without its task says how it is made', () => {
  const { order } = text
  expect(() => order(1)).toThrow('next((value) => someTask.order(value))')
})

it('the Immediate backend does not run a step again without its values', async () => {
  configureTasks({ default: { BACKEND: ImmediateBackend } })
  const handle = await double
    .order(-1)
    .next((value) => text.order(value))
    .enqueue()
  expect(handle.last.status).toBe('FAILED')
  await expect(backends.get('default').retry(handle.last.id)).rejects.toThrow('is a step of a flow')
})
