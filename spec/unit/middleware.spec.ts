import type { DataSource } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  InvalidSettingsError,
  InvalidTaskError,
  type Middleware,
  NotSerializableError,
  type Order,
  type RunContext,
  runUntilEmpty,
  setMiddleware,
  task,
  type TaskContext,
  type TaskResult,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { databases } from '../support/databases'
import { add, catchLog, fail } from '../support/tasks'

/** A backend that writes down how many orders it gets at a time. */
class CountingBackend extends DummyBackend {
  static readonly batches: number[] = []

  override async enqueueMany(orders: readonly Order[]): Promise<TaskResult<unknown>[]> {
    CountingBackend.batches.push(orders.length)
    return super.enqueueMany(orders)
  }
}

const events: string[] = []

/** Writes down when it is passed, inwards and outwards. */
function tracer(name: string): Middleware {
  return {
    async enqueue(order, next) {
      events.push(`${name} enqueues ${order.task.name}`)
      const result = await next()
      events.push(`${name} enqueued ${result.taskName}`)
      return result
    },
    async run(context, next) {
      events.push(`${name} runs ${context.taskResult.taskName}`)
      try {
        return await next()
      } finally {
        events.push(`${name} ran`)
      }
    },
  }
}

let dataSource: DataSource

beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
})
beforeEach(() => {
  catchLog()
  events.length = 0
  CountingBackend.batches.length = 0
  configureTasks({
    default: { BACKEND: ImmediateBackend, QUEUES: [] },
    dummy: { BACKEND: CountingBackend, QUEUES: ['default', 'slow'] },
    database: { BACKEND: DatabaseBackend, QUEUES: ['default', 'slow'], OPTIONS: { dataSource } },
  })
})
afterEach(async () => {
  setMiddleware([])
  await dataSource.getRepository(DBTaskResult).clear()
})

const dummied = add.using({ backend: 'dummy' })
const stored = add.using({ backend: 'database' })
const kept = () => (backends.get('dummy') as CountingBackend).results
const rows = () => dataSource.getRepository(DBTaskResult)
const enqueueing = (enqueue: Middleware['enqueue']) => setMiddleware([{ enqueue: enqueue! }])
const running = (run: Middleware['run']) => setMiddleware([{ run: run! }])

describe('setMiddleware', () => {
  it('puts the first of the list outermost, around the enqueue and around the run', async () => {
    setMiddleware([tracer('outer'), tracer('inner')])

    await add.enqueue(1, 2)

    expect(events).toEqual([
      'outer enqueues spec.add',
      'inner enqueues spec.add',
      'outer runs spec.add',
      'inner runs spec.add',
      'inner ran',
      'outer ran',
      'inner enqueued spec.add',
      'outer enqueued spec.add',
    ])
  })

  it('replaces the list, and gives the earlier one back', async () => {
    const [first, second] = [[tracer('first')], [tracer('second')]]

    expect(setMiddleware(first)).toEqual([])
    expect(setMiddleware(second)).toEqual(first)
    await dummied.enqueue(1)
    expect(setMiddleware([])).toEqual(second)
    await dummied.enqueue(2)

    expect(events).toEqual(['second enqueues spec.add', 'second enqueued spec.add'])
  })

  it('calls methods on their object', async () => {
    class Counter implements Middleware {
      count = 0

      async run(_: RunContext, next: () => Promise<unknown>): Promise<unknown> {
        this.count++
        return next()
      }
    }
    const counter = new Counter()
    setMiddleware([counter])

    await add.enqueue(1)

    expect(counter.count).toBe(1)
  })

  it.each([[null], ['run'], [[null]], [[{}]], [[{ run: 1 }]], [[() => {}]]])(
    'refuses %j',
    (list) => {
      setMiddleware([tracer('kept')])
      expect(() => setMiddleware(list as never)).toThrow(InvalidSettingsError)
      expect(() => setMiddleware(list as never)).toThrow(
        'Middleware: expected a list of objects with a method enqueue or run, got ',
      )
      expect(setMiddleware([])).toHaveLength(1)
    },
  )
})

describe('around an enqueue', () => {
  it('may change the order: another queue, other arguments', async () => {
    enqueueing((order, next) =>
      next({
        ...order,
        task: order.task.using({ queueName: 'slow' }),
        args: [7],
        kwargs: { b: 1 },
      }),
    )

    const result = await stored.enqueue(1, 2)

    expect(await rows().findOneByOrFail({})).toMatchObject({
      queueName: 'slow',
      argsKwargs: { args: [7], kwargs: { b: 1 } },
    })
    expect([result.queueName, result.args, result.kwargs]).toEqual(['slow', [7], { b: 1 }])
  })

  it('may send the order to another backend', async () => {
    enqueueing((order, next) => next({ ...order, task: order.task.using({ backend: 'dummy' }) }))

    await stored.enqueue(1)

    expect([kept().length, await rows().count()]).toEqual([1, 0])
  })

  const wrong: [string, (order: Order) => unknown, new (...given: never[]) => Error, string][] = [
    [
      'a queue that the backend does not have',
      (order) => ({ ...order, task: order.task.using({ queueName: 'fast' }) }),
      InvalidTaskError,
      'queue "fast" is not in QUEUES of TASKS.dummy',
    ],
    [
      'arguments that JSON cannot carry',
      (order) => ({ ...order, args: [1n] }),
      NotSerializableError,
      'args[0]: bigint',
    ],
    [
      'something else',
      () => 7,
      InvalidTaskError,
      'A middleware called next with 7 in the place of an order.',
    ],
  ]
  it.each(wrong)('cannot change the order to %s', async (_, change, kind, told) => {
    enqueueing((order, next) => next(change(order) as Order))

    await expect(dummied.enqueue(1)).rejects.toThrow(kind)
    await expect(dummied.enqueue(1)).rejects.toThrow(told)
    await expect(dummied.enqueueMany([[1], [2]])).rejects.toThrow(told)

    expect(kept()).toEqual([])
  })

  it('without next stores nothing, and gives its own result', async () => {
    const earlier = await dummied.enqueue(1)
    enqueueing(async () => earlier)

    expect(await dummied.enqueue(2)).toBe(earlier)
    expect(await dummied.enqueueMany([[3], [4]])).toEqual([earlier, earlier])

    expect(kept().map(({ args }) => args)).toEqual([[1]])
    expect(CountingBackend.batches).toEqual([])
  })

  it('fails the enqueue by its error, thrown before or after next, at once or later', async () => {
    enqueueing(() => {
      throw new RangeError('at once')
    })
    await expect(dummied.enqueue(1)).rejects.toThrow(new RangeError('at once'))
    expect(kept()).toEqual([])

    enqueueing(async (_, next) => {
      await next()
      throw new RangeError('later')
    })
    await expect(dummied.enqueue(1)).rejects.toThrow(new RangeError('later'))
    expect(kept()).toHaveLength(1)
  })

  it('must give a result', async () => {
    enqueueing(async (_, next) => void (await next()) as never)

    await expect(dummied.enqueue(1)).rejects.toThrow(
      "A middleware's enqueue returned undefined in the place of a TaskResult. Return what next() gives.",
    )
  })

  it('hears the error of what it asked for, and may try again', async () => {
    const heard: unknown[] = []
    enqueueing(async (order, next) => {
      try {
        return await next({ ...order, args: [1n] })
      } catch (error) {
        heard.push(error)
        return next()
      }
    })

    await dummied.enqueue(1)

    expect(heard).toEqual([expect.any(NotSerializableError)])
    expect(kept()).toHaveLength(1)
  })
})

describe('around enqueueMany', () => {
  it('passes each order, and stores them at once when all have come to the end', async () => {
    enqueueing(async (order, next) => {
      const [i] = order.args as [number]
      await new Promise((resolve) => setTimeout(resolve, 400 - 200 * i))
      events.push(`${i} in`)
      const result = await next()
      events.push(`${i} out`)
      return result
    })

    const results = await dummied.enqueueMany([[0], [1], [2]])

    expect(events.slice(0, 3)).toEqual(['2 in', '1 in', '0 in'])
    expect(events.slice(3).toSorted()).toEqual(['0 out', '1 out', '2 out'])
    expect(results.map(({ args }) => args)).toEqual([[0], [1], [2]])
    expect(kept().map(({ args }) => args)).toEqual([[0], [1], [2]])
    expect(CountingBackend.batches).toEqual([3])
  })

  it('stores nothing if one fails, and tells the others', async () => {
    const heard: unknown[] = []
    enqueueing(async (order, next) => {
      await Promise.resolve()
      if (order.args[0] === 1) throw new RangeError('not this one')
      return next().catch((error: unknown) => {
        heard.push(error)
        throw error
      })
    })

    await expect(stored.enqueueMany([[0], [1], [2]])).rejects.toThrow(
      new RangeError('not this one'),
    )

    expect(heard).toEqual([new RangeError('not this one'), new RangeError('not this one')])
    expect(await rows().count()).toBe(0)
  })

  it('keeps what is stored if one fails after its next, unless a transaction takes it back', async () => {
    enqueueing(async (order, next) => {
      const result = await next()
      if (order.args[0] === 1) throw new RangeError('too late')
      return result
    })
    const enqueued = (): Promise<unknown> => stored.enqueueMany([[0], [1], [2]])

    await expect(enqueued()).rejects.toThrow(new RangeError('too late'))
    expect(await rows().count()).toBe(3)

    await expect(atomic(dataSource, enqueued)).rejects.toThrow(new RangeError('too late'))
    expect(await rows().count()).toBe(3)
  })

  it('stores the rest where one has a result of its own', async () => {
    const earlier = await dummied.enqueue(9)
    enqueueing(async (order, next) => (order.args[0] === 1 ? earlier : next()))

    const results = await dummied.enqueueMany([[0], [1], [2]])

    expect(results.map(({ args }) => args)).toEqual([[0], [9], [2]])
    expect(CountingBackend.batches).toEqual([2])
  })

  it('stores orders that were changed differently, in their order', async () => {
    const queueOf = (i: unknown): string => (Number(i) % 3 === 0 ? 'slow' : 'default')
    enqueueing((order, next) =>
      next({ ...order, task: order.task.using({ queueName: queueOf(order.args[0]) }) }),
    )

    const results = await stored.enqueueMany([[0], [1], [2], [3]])

    const expected = [0, 1, 2, 3].map((i) => [i, queueOf(i)])
    expect(results.map(({ args, queueName }) => [args[0], queueName])).toEqual(expected)
    for (const result of results) await result.refresh()
    expect(results.map(({ args, queueName }) => [args[0], queueName])).toEqual(expected)
  })

  it('refuses orders of one batch that go to different backends', async () => {
    enqueueing((order, next) =>
      order.args[0] === 1
        ? next({ ...order, task: order.task.using({ backend: 'default' }) })
        : next(),
    )

    await expect(stored.enqueueMany([[0], [1]])).rejects.toThrow(
      'a middleware gave its orders different backends or managers',
    )

    expect(await rows().count()).toBe(0)
  })

  it('gives the same result to a second next, and the error of the database to each', async () => {
    enqueueing(async (_, next) => {
      await next()
      return next()
    })
    expect(await stored.enqueueMany([[0], [1]])).toHaveLength(2)
    expect(await rows().count()).toBe(2)

    const heard: string[] = []
    enqueueing((_, next) =>
      next().catch((error: Error) => {
        heard.push(error.message)
        throw error
      }),
    )
    configureTasks({ database: { BACKEND: DatabaseBackend, OPTIONS: { dataSource: undefined } } })
    await expect(stored.enqueueMany([[0], [1]])).rejects.toThrow(heard[0])
    expect(heard).toHaveLength(2)
  })

  it('takes an empty list', async () => {
    setMiddleware([tracer('none')])
    expect(await stored.enqueueMany([])).toEqual([])
    expect(events).toEqual([])
  })
})

describe('around a run', () => {
  it('fails the task by its error, as the task itself would', async () => {
    running(() => {
      throw new RangeError('before')
    })
    expect((await add.enqueue(1)).errors[0]!.exceptionClassPath).toBe('RangeError')

    running(async (_, next) => {
      await next()
      throw new RangeError('after')
    })
    const result = await add.enqueue(1)
    expect([result.status, result.errors[0]!.traceback.split('\n')[0]]).toEqual([
      'FAILED',
      'RangeError: after',
    ])
  })

  it('hears the error of the task, and what it returns is the return value', async () => {
    running(async (_, next) => next().catch((error: Error) => `caught: ${error.message}`))

    expect((await fail.enqueue('oh no')).returnValue).toBe('caught: oh no')
  })

  it('has the context that the task gets', async () => {
    const seen: unknown[] = []
    running(async (context, next) => {
      seen.push(context)
      return next()
    })
    const asking = task(
      'middleware.asking',
      (context: TaskContext) => {
        seen.push(context)
        return context.attempt
      },
      { takesContext: true },
    )

    const { id } = await asking.enqueue()

    expect(seen).toHaveLength(2)
    expect(seen[0]).toBe(seen[1])
    const { attempt, signal, taskResult } = seen[0] as RunContext
    expect([attempt, signal.aborted, taskResult.id]).toEqual([1, false, id])
  })

  it('is not around a call', async () => {
    setMiddleware([tracer('none')])
    expect(await add.call(1, 2)).toBe(3)
    expect(events).toEqual([])
  })

  it('is in a worker, and within the transaction of a transactional task', async () => {
    const writes = task(
      'middleware.writes',
      async (context: TaskContext, message: string) => {
        await context.manager.query(`UPDATE db_task_result SET traceback = ?`, [message])
      },
      { takesContext: true, transactional: true, backend: 'database' },
    )
    running(async ({ taskResult }, next) => {
      await next()
      if (taskResult.args[0] === 'undone') throw new RangeError('after all')
    })

    const done = await writes.enqueue('done')
    await runUntilEmpty({ backend: 'database', maxTasks: 1 })
    const undone = await writes.enqueue('undone')
    await runUntilEmpty({ backend: 'database' })

    expect((await done.refresh()).status).toBe('SUCCESSFUL')
    expect((await undone.refresh()).status).toBe('FAILED')
    expect(undone.errors[0]!.exceptionClassPath).toBe('RangeError')
    // The update of the second run, which would have changed this row too, was rolled back.
    expect(await rows().countBy({ traceback: 'undone' })).toBe(0)
  })
})
