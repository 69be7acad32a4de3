import { configureTasks, InvalidTaskError, task, type TaskOptions } from 'typeorm-tasks'
import { DummyBackend } from 'typeorm-tasks/backends/dummy'
import { ImmediateBackend } from 'typeorm-tasks/backends/immediate'
import { MemoryBackend } from '#memory/backend'
import { catchLog } from '../support/tasks'

const add = task('keys.unit', (value: number) => value)
const HOUR_MS = 3_600_000

beforeAll(() => {
  catchLog()
  configureTasks({
    default: { BACKEND: DummyBackend },
    memory: { BACKEND: MemoryBackend },
    immediate: { BACKEND: ImmediateBackend },
  })
})

describe('a bad key', () => {
  const one = 'Task "keys.bad" asks for'
  const key = 'x'
  const wait = 1
  const bad: [Omit<TaskOptions, 'takesContext'>, string][] = [
    [{ throttle: { key, every: 0 } }, 'throttle.every: expected a number of milliseconds from 1'],
    [{ throttle: { key: '', every: 1 } }, 'throttle.key: expected 1 to 126 printable characters'],
    [{ throttle: { key: 'x'.repeat(127), every: 1 } }, 'throttle.key: expected 1 to 126'],
    [{ throttle: { key } as never }, 'throttle.every: expected a number of milliseconds'],
    [
      { throttle: { key, every: 1, evry: 1 } as never },
      'unknown option "evry". Did you mean "every"',
    ],
    [{ throttle: 'x' as never }, "throttle: expected { key, every }, got 'x'"],
    [{ debounce: { key, wait: Number.NaN } }, 'debounce.wait: expected a number of milliseconds'],
    [
      { debounce: { key, wait: 10, atMost: 9 } },
      'debounce: atMost (9 ms) is less than wait (10 ms)',
    ],
    [{ uniqueKey: 7 as never }, 'uniqueKey: expected 1 to 126 printable characters'],
    [{ uniqueKey: key, throttle: { key, every: 1 } }, `${one} uniqueKey and throttle`],
    [{ uniqueKey: key, debounce: { key, wait } }, `${one} uniqueKey and debounce`],
    [{ throttle: { key, every: 1 }, debounce: { key, wait } }, `${one} throttle and debounce`],
  ]
  it.each(bad)('is refused where the task is defined: %j', (options, told) => {
    expect(() => task('keys.bad', () => 1, options)).toThrow(InvalidTaskError)
    expect(() => task('keys.bad', () => 1, options)).toThrow(told)
  })

  it('is refused in using, together with what the task asks for', () => {
    const keyed = task('keys.keyed', () => 1, { uniqueKey: 'one' })
    expect(() => keyed.using({ throttle: { key, every: 1 } })).toThrow(
      'using({ uniqueKey: null }) takes off what the task asks for.',
    )
    expect(keyed.using({ uniqueKey: null, throttle: { key, every: 1 } }).throttle).toEqual({
      key,
      every: 1,
    })
    const debounced = add.using({ debounce: { key, wait } })
    expect(() => debounced.using({ runAfter: new Date() })).toThrow(
      'asks for debounce and runAfter, and debounce says when it runs.',
    )
  })

  it.each([[7], [''], [undefined], [Promise.resolve('x')]])(
    'is refused at the call, where a function gives it: %p',
    async (made) => {
      const keyed = add.using({ throttle: { key: () => made as never, every: 1 } })
      await expect(keyed.enqueue(1)).rejects.toThrow(
        /^Task "keys.unit", throttle.key\(…\): expected .* Have the function return a text/,
      )
    },
  )

  it('what the function throws comes out', async () => {
    const broken = add.using({
      uniqueKey: () => {
        throw new RangeError('mine')
      },
    })
    await expect(broken.enqueue(1)).rejects.toThrow(new RangeError('mine'))
  })
})

describe.each(['default', 'memory'])('keys on the backend %s', (backend) => {
  const here = add.using({ backend })

  it('a unique key gives the first', async () => {
    const [first, second] = await here
      .using({ uniqueKey: (value: number) => `same-${value}` })
      .enqueueMany([[1], [1]])
    expect(second).toMatchObject({ id: first!.id, isDuplicate: true })
    expect(first!.isDuplicate).toBe(false)
  })

  it('a throttle gives the first', async () => {
    const throttled = here.using({ throttle: { key: 't', every: HOUR_MS } })
    const first = await throttled.enqueue(1)
    expect(await throttled.enqueue(2)).toMatchObject({ id: first.id, isDuplicate: true, args: [1] })
  })

  it('a debounce gives the first its arguments and another instant, up to atMost', async () => {
    const debounce = { key: 'd', wait: HOUR_MS, atMost: 2 * HOUR_MS }
    const first = await here.using({ debounce }).enqueue(1)
    const second = await here.using({ debounce: { ...debounce, wait: 2 * HOUR_MS } }).enqueue(2)

    expect(second).toMatchObject({ id: first.id, isDuplicate: true, args: [2] })
    expect(
      [first, second].map(({ runAfter, enqueuedAt }) => Number(runAfter) - Number(enqueuedAt)),
    ).toEqual([HOUR_MS, 2 * HOUR_MS])
    await second.cancel()
    expect(await here.using({ debounce }).enqueue(3)).toMatchObject({
      isDuplicate: false,
      args: [3],
    })
  })
})

describe('keys on the Immediate backend', () => {
  const here = add.using({ backend: 'immediate' })

  it('a throttle gives the first, which has finished', async () => {
    const throttled = here.using({ throttle: { key: 't', every: HOUR_MS } })
    const first = await throttled.enqueue(1)
    expect(await throttled.enqueue(2)).toMatchObject({
      id: first.id,
      isDuplicate: true,
      returnValue: 1,
    })
  })

  it('others keep nothing out: what is enqueued has finished', async () => {
    const debounced = here.using({ debounce: { key: 'd', wait: HOUR_MS } })
    const both = [await debounced.enqueue(1), await debounced.enqueue(2)]
    expect(both.map(({ returnValue, isDuplicate }) => [returnValue, isDuplicate])).toEqual([
      [1, false],
      [2, false],
    ])
  })
})
