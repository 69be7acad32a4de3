import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  InvalidTaskError,
  NotSerializableError,
  runUntilEmpty,
  task,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { backends } from '../../lib/backend-registry'
import { MAX_JSON_BYTES } from '#json'
import { databases } from '../support/databases'
import { add, catchLog, echo } from '../support/tasks'

const MEGABYTES_20 = 'x'.repeat(20 * 1024 * 1024)
const TOO_LONG = `is ${MEGABYTES_20.length + 4} bytes of JSON; the limit is ${MAX_JSON_BYTES}. Store the data elsewhere and pass a reference to it.`

const huge = task('spec.huge', () => MEGABYTES_20)

let dataSource: DataSource
beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
})
beforeEach(() => {
  catchLog()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
})
afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

describe.each([
  ['Immediate', ImmediateBackend, {}],
  ['Dummy', DummyBackend, {}],
  ['Database', DatabaseBackend, { dataSource: () => dataSource }],
])('20 MB on the %s backend', (_, BACKEND, OPTIONS) => {
  beforeEach(() => void configureTasks({ default: { BACKEND, OPTIONS } }))

  it('as an argument are refused, with their size and the hint', async () => {
    await expect(echo.enqueue(MEGABYTES_20)).rejects.toThrow(NotSerializableError)
    await expect(echo.enqueue(MEGABYTES_20)).rejects.toThrow(`args ${TOO_LONG}`)
    await expect(echo.enqueueWith({ kwargs: { a: MEGABYTES_20 } })).rejects.toThrow('kwargs is ')
  })

  it('as one argument of many leave nothing of the others', async () => {
    await expect(echo.enqueueMany([['small'], [MEGABYTES_20]])).rejects.toThrow(`args ${TOO_LONG}`)

    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
    const backend = backends.get('default')
    if (backend instanceof DummyBackend) expect(backend.results).toEqual([])
  })
})

it('20 MB as a return value end the task as FAILED, and the worker goes on', async () => {
  const [big, small] = [await huge.enqueue(), await add.enqueue(1)]

  await runUntilEmpty({ concurrency: 1 })

  expect((await big.refresh()).errors).toEqual([
    {
      exceptionClassPath: 'typeorm_tasks.NotSerializableError',
      traceback: expect.stringContaining(
        `return value is ${MEGABYTES_20.length + 2} bytes of JSON; the limit is ${MAX_JSON_BYTES}.`,
      ) as string,
    },
  ])
  expect((await small.refresh()).returnValue).toBe(11)
})

describe('a call that no compiler has seen', () => {
  const bad: [string, () => Promise<unknown>, string][] = [
    [
      'kwargs that are a list',
      () => add.enqueueWith({ kwargs: [1] as never }),
      'Task "spec.add", kwargs: expected an object of arguments by name, got an array. Nothing was enqueued.',
    ],
    [
      'kwargs that are null',
      () => add.enqueueWith({ kwargs: null as never }),
      'Task "spec.add", kwargs: expected an object of arguments by name, got null.',
    ],
    [
      'kwargs that are a text',
      () => add.enqueueWith({ kwargs: 'tone' as never }),
      `Task "spec.add", kwargs: expected an object of arguments by name, got 'tone'.`,
    ],
    [
      'kwargs that are a Map',
      () => add.enqueueWith({ kwargs: new Map([['a', 1]]) as never }),
      'kwargs: Map; pass Object.fromEntries(kwargs)',
    ],
    [
      'args that are no list',
      () => add.enqueueWith({ args: 'ab' as never }),
      `Task "spec.add", args: expected a list of arguments, got 'ab'.`,
    ],
    [
      'args under another name',
      () => add.enqueueWith({ arg: [1] } as never),
      'Task "spec.add", enqueueWith: unknown key "arg". Did you mean "args"?',
    ],
    [
      'arguments without their key',
      () => add.enqueueWith([1] as never),
      'Task "spec.add", enqueueWith: expected { args, kwargs }, got an array.',
    ],
    [
      'calls that are no list',
      () => add.enqueueMany(5 as never),
      'Task "spec.add", enqueueMany: expected a list of lists of arguments, got 5.',
    ],
    [
      'calls that are no lists themselves',
      () => add.enqueueMany([[1], 2] as never),
      'Task "spec.add", enqueueMany, call 1: expected a list of arguments, got 2.',
    ],
  ]
  it.each(bad)('%s is refused, and nothing is enqueued', async (_, call, told) => {
    await expect(call()).rejects.toThrow(told)

    expect(await dataSource.getRepository(DBTaskResult).count()).toBe(0)
  })

  const options: [string, () => unknown, string][] = [
    [
      'using(null)',
      () => add.using(null as never),
      'Task "spec.add": expected an object of options, got null. Write { … }.',
    ],
    [
      'using(5)',
      () => add.using(5 as never),
      'Task "spec.add": expected an object of options, got 5.',
    ],
    [
      'options that are none',
      () => task('spec.none', () => {}, 5 as never),
      'Task "spec.none": expected an object of options, got 5.',
    ],
    [
      'a query runner in place of its manager',
      () => add.using({ manager: dataSource.createQueryRunner() as never }),
      'Task "spec.add", manager: expected an EntityManager, got an object (',
    ],
    [
      'null in place of a manager',
      () => add.using({ manager: null as never }),
      'Task "spec.add", manager: expected an EntityManager, got null. Change the value.',
    ],
  ]
  it.each(options)('%s is refused when the copy is made', (_, make, told) => {
    expect(make).toThrow(InvalidTaskError)
    expect(make).toThrow(told)
  })

  it.each([undefined, {}, { timeout: Number.NaN }, { timeout: '5' }, { timeout: -1 }])(
    'wait(%j) is refused rather than waiting for ever',
    async (wish) => {
      const result = await add.enqueue(1)

      await expect(result.wait(wish as never)).rejects.toThrow(
        /^wait, timeout: expected a number of milliseconds, 0 or more, got .+\. Write e\.g\. wait\(\{ timeout: 5_000 \}\)\.$/,
      )
    },
  )
})
