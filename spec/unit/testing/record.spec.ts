import { AsyncResource } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  configureTasks,
  group,
  InvalidSettingsError,
  InvalidTaskError,
  NotSerializableError,
  NotSupportedError,
  RetryLater,
  schedule,
  startWorker,
  TaskBackend,
  task,
  taskEnqueued,
  taskFinished,
  WaitTimeoutError,
} from 'typeorm-tasks'
import { type RecordedTasks, TaskRunError, testTasks } from 'typeorm-tasks/testing'
import { backends } from '#backend-registry'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { add, contextual, echo, fail, nothing } from '../../support/tasks'

const seen: unknown[] = []
const note = task('kit.note', (what: string) => void seen.push(what))
const two = task('kit.two', async () => {
  await note.enqueue('first of two')
  await note.using({ queueName: 'other' }).enqueue('second of two')
})
let failures = 0
const flaky = task(
  'kit.flaky',
  () => {
    if (failures-- > 0) throw new Error('not yet')
    return 'at last'
  },
  { retry: { maxAttempts: 3, delay: 60_000 } },
)
const endless = task('kit.endless', async () => void (await endless.enqueue()))
const cancelsItself = task(
  'kit.cancelsItself',
  async (context) => {
    await context.taskResult.cancel()
    return context.signal.aborted
  },
  { takesContext: true },
)
const isolated = task('kit.isolated', () => process.pid, { isolate: true })
const due = task('kit.due', (context) => context.slot?.at.toISOString() ?? null, {
  takesContext: true,
})
schedule('kit.hourly', due, { cron: '0 * * * *' })

/** Takes transactional tasks, too. */
class Transactional extends DummyBackend {
  override readonly supportsTransactions = true
}

let tasks: RecordedTasks
beforeEach(() => {
  seen.length = 0
  failures = 0
  configureTasks({ default: { BACKEND: Transactional, QUEUES: [] } })
  tasks = testTasks()
})
afterEach(async () => {
  await tasks.restore()
  backends.configure(undefined)
})

describe('recording', () => {
  it('keeps what the app enqueues, and runs none of it', async () => {
    await note.enqueue('a')
    await add.enqueueMany([[1], [2, 3]])
    await nothing.enqueue()

    expect(seen).toEqual([])
    expect(tasks.enqueued().map(({ taskName, status }) => [taskName, status])).toEqual([
      ['kit.note', 'READY'],
      ['spec.add', 'READY'],
      ['spec.add', 'READY'],
      ['spec.nothing', 'READY'],
    ])
    expect(tasks.enqueued(add).map(({ args }) => args)).toEqual([[1], [2, 3]])
    tasks.clear()
    expect(tasks.enqueued()).toEqual([])
  })

  it('takes the place of backends that are configured after it began, too, until it is restored', async () => {
    configureTasks({ default: { BACKEND: ImmediateBackend }, mail: { BACKEND: DummyBackend } })
    await note.enqueue('a')
    await note.using({ backend: 'mail' }).enqueue('b')
    expect(tasks.enqueued(note).map(({ backend }) => backend)).toEqual(['default', 'mail'])
    expect(seen).toEqual([])

    await tasks.restore()
    await note.enqueue('c')
    expect(seen).toEqual(['c'])
    expect(backends.get('default')).toBeInstanceOf(ImmediateBackend)
  })

  it('needs no TASKS at all', async () => {
    await tasks.restore()
    backends.configure(undefined)
    tasks = testTasks()
    await note.using({ queueName: 'any' }).enqueue('a')
    expect((await tasks.run()).runs).toBe(1)
  })

  it('refuses what the backend of TASKS would refuse', async () => {
    configureTasks({ default: { BACKEND: ImmediateBackend, QUEUES: ['default'] } })
    await expect((async () => note.using({ queueName: 'mial' }).enqueue('a'))()).rejects.toThrow(
      'queue "mial" is not in QUEUES',
    )
    await expect((async () => note.using({ runAfter: new Date() }).enqueue('a'))()).rejects.toThrow(
      'runAfter',
    )
    await expect(echo.enqueue(new Date(0))).rejects.toBeInstanceOf(NotSerializableError)
  })

  it('gives the first result for a key that is held, and listeners hear as always', async () => {
    const heard: string[] = []
    const ends = [
      taskEnqueued.connect(({ result }) => heard.push(`enqueued ${result.taskName}`)),
      taskFinished.connect(({ result }) => heard.push(`finished ${String(result.returnValue)}`)),
    ]
    const keyed = add.using({ uniqueKey: 'sum' })
    const first = await keyed.enqueue(1)
    const second = await keyed.enqueue(2)
    await tasks.run()
    for (const end of ends) end()
    expect(second.isDuplicate).toBe(true)
    expect(second.id).toBe(first.id)
    expect(heard).toEqual(['enqueued spec.add', 'finished 11'])
  })

  it('catches what is enqueued from another asynchronous context, such as a server that was started before', async () => {
    const outside = new AsyncResource('outside')
    await tasks.restore()
    const enqueue = outside.runInAsyncScope(AsyncResource.bind, undefined, () => note.enqueue('x'))
    tasks = testTasks()
    await (enqueue as () => Promise<unknown>)()
    await new Promise((resolve) => setImmediate(() => void note.enqueue('y').then(resolve)))
    expect(tasks.enqueued(note)).toHaveLength(2)
  })

  it('keeps tests apart that run at the same time', async () => {
    await tasks.restore()
    const test = async (name: string): Promise<unknown[]> => {
      const own = testTasks()
      await sleep(5)
      await note.enqueue(name)
      await two.enqueue()
      await sleep(5)
      await own.run()
      const found = own.enqueued(note).map(({ args }) => args[0])
      await own.restore()
      return found
    }
    const [one, other] = await Promise.all([test('one'), test('other')])
    expect(one).toEqual(['one', 'first of two', 'second of two'])
    expect(other).toEqual(['other', 'first of two', 'second of two'])
  })

  it('ends with `using`', async () => {
    const end = (Symbol as { dispose: symbol }).dispose as keyof RecordedTasks
    expect(typeof tasks[end]).toBe('function')
    ;(tasks[end] as () => void)()
    expect(backends.get('default')).toBeInstanceOf(DummyBackend)
  })

  it('refuses everything once it is restored, also while a later kit is there', async () => {
    await note.enqueue('of the first')
    await tasks.restore()
    const later = testTasks()
    await note.enqueue('of the later')
    const told = 'the kit was restored, so it has no tasks any more'
    await expect(tasks.run()).rejects.toThrow(`run: ${told}`)
    await expect(tasks.travel(1)).rejects.toThrow(`travel: ${told}`)
    await expect(tasks.fire('kit.hourly')).rejects.toThrow(`fire: ${told}`)
    await expect(tasks.workers()).rejects.toThrow(`workers: ${told}`)
    expect(() => tasks.enqueued()).toThrow(`enqueued: ${told}`)
    expect(() => tasks.expectEnqueued(note)).toThrow(`expectEnqueued: ${told}`)
    expect(() => tasks.expectNotEnqueued(note)).toThrow(`expectNotEnqueued: ${told}`)
    expect(seen).toEqual([])
    expect((await later.run()).runs).toBe(1)
    await later.restore()
  })

  it('is stacked: the kit before is there again after the last one', async () => {
    const inner = testTasks()
    await note.enqueue('inner')
    await inner.restore()
    await note.enqueue('outer')
    expect(tasks.enqueued(note).map(({ args }) => args)).toEqual([['outer']])
  })
})

describe('run', () => {
  it('runs what is due, and what that enqueues, and gives results as they are stored', async () => {
    const result = await two.enqueue()
    const echoed = await echo.enqueue({ a: undefined, b: [1] })
    const report = await tasks.run()

    expect(seen).toEqual(['first of two', 'second of two'])
    expect(report.runs).toBe(4)
    expect(report.results.map(({ taskName }) => taskName)).toEqual([
      'kit.two',
      'spec.echo',
      'kit.note',
      'kit.note',
    ])
    expect((await result.refresh()).status).toBe('SUCCESSFUL')
    expect((await echoed.refresh()).returnValue).toEqual({ b: [1] })
    expect(await tasks.run()).toEqual({ runs: 0, results: [] })
  })

  it('runs in the order of a worker: by priority, then by age', async () => {
    await note.enqueue('second')
    await note.using({ priority: 5 }).enqueue('first')
    await note.enqueue('third')
    await tasks.run()
    expect(seen).toEqual(['first', 'second', 'third'])
  })

  it('runs 10,000 tasks, and what is more urgent first also if it comes meanwhile', async () => {
    const urgent = note.using({ priority: 5 })
    const first = task('kit.first', async () => void (await urgent.enqueue('urgent')))
    await first.using({ priority: 1 }).enqueue()
    for (let i = 0; i < 10_000; i++) await note.enqueue(String(i))
    expect((await tasks.run({ atMost: 20_000 })).runs).toBe(10_002)
    expect(seen.slice(0, 2)).toEqual(['urgent', '0'])
    expect(seen.at(-1)).toBe('9999')
  }, 15_000)

  it('serves some queues only, if told so', async () => {
    await two.enqueue()
    await tasks.run({ queues: ['default'] })
    expect(seen).toEqual(['first of two'])
    await tasks.run({ queues: ['other'] })
    expect(seen).toEqual(['first of two', 'second of two'])
  })

  it('throws by default what a task threw, with its name, once all have run', async () => {
    await fail.enqueue('the reason')
    await fail.enqueue('another')
    await note.enqueue('runs all the same')
    const error = await tasks.run().catch((thrown: unknown) => thrown)

    expect(error).toBeInstanceOf(TaskRunError)
    const { message, cause, results, code } = error as TaskRunError
    expect(message).toMatch(
      /^Task "spec\.fail" \([-0-9a-f]{36}\) failed: RangeError: the reason, and 1 more failed\. Its own error is the cause\./,
    )
    expect(cause).toBeInstanceOf(RangeError)
    expect(results.map(({ status }) => status)).toEqual(['FAILED', 'FAILED'])
    expect(code).toBe('TASK_RUN')
    expect(seen).toEqual(['runs all the same'])
  })

  it('leaves failures to the test, if told so', async () => {
    const result = await fail.enqueue('the reason')
    expect((await tasks.run({ throwFailures: false })).runs).toBe(1)
    expect((await result.refresh()).errors[0]?.exceptionClassPath).toBe('RangeError')
  })

  it('throws also for a run that failed and is to be tried again; untilFinished tries again', async () => {
    failures = 1
    const result = await flaky.enqueue()
    await expect(tasks.run()).rejects.toThrow(
      /"kit.flaky" .* failed in run 1, and is to run again: Error: not yet/,
    )
    expect((await result.refresh()).status).toBe('READY')
    expect((await tasks.run()).runs).toBe(0)

    expect((await tasks.run({ untilFinished: true })).runs).toBe(1)
    expect((await result.refresh()).returnValue).toBe('at last')
  })

  it('untilFinished throws only for what failed for good', async () => {
    failures = 2
    await flaky.enqueue()
    expect((await tasks.run({ untilFinished: true })).runs).toBe(3)
    failures = 3
    await flaky.enqueue()
    await expect(tasks.run({ untilFinished: true })).rejects.toThrow('not yet')
  })

  it('does not take a RetryLater for a failure', async () => {
    let asked = false
    const later = task('kit.later', () => {
      if (!asked) {
        asked = true
        throw new RetryLater(1_000)
      }
    })
    await later.enqueue()
    expect((await tasks.run()).runs).toBe(1)
    expect((await tasks.run({ untilFinished: true })).runs).toBe(1)
  })

  it('ends a task that enqueues itself for ever', async () => {
    await endless.enqueue()
    await expect(tasks.run({ atMost: 10 })).rejects.toThrow(
      /After 10 runs task "kit.endless" .* is due still\. Does a task enqueue itself/,
    )
    await expect(tasks.run()).rejects.toThrow('After 1000 runs')
  })

  it('settles flows, with their values', async () => {
    const total = task('kit.total', (sums: number[]) => sums.reduce((a, b) => a + b, 0))
    const handle = await group([add.order(1, 2), add.order(3, 4)])
      .next((sums) => total.order(sums))
      .enqueue()
    expect(tasks.enqueued()).toHaveLength(3)
    await tasks.run()
    expect((await handle.last.refresh()).returnValue).toBe(10)
  })

  it('runs the callback of a flow that fails', async () => {
    const alert = task(
      'kit.alert',
      ({ taskName }: { taskName: string }) => void seen.push(taskName),
    )
    await fail
      .order('x')
      .onFailure((failure) => alert.order(failure))
      .enqueue()
    await tasks.run({ throwFailures: false })
    expect(seen).toEqual(['spec.fail'])
  })

  it('runs isolated tasks in the process of the test', async () => {
    const result = await isolated.enqueue()
    await tasks.run()
    expect((await result.refresh()).returnValue).toBe(process.pid)
  })

  it('gives a task its context, and stores its progress', async () => {
    const result = await contextual.enqueue('half')
    await tasks.run()
    await result.refresh()
    expect(result.returnValue).toEqual({ id: result.id, attempt: 1, aborted: false })
    expect(result.progress).toEqual({ done: 1, total: 2, note: 'half' })
  })

  it('ends a task that cancels itself as cancelled', async () => {
    const result = await cancelsItself.enqueue()
    await tasks.run({ throwFailures: false })
    await result.refresh()
    expect([result.status, result.errors.at(-1)?.exceptionClassPath]).toEqual([
      'FAILED',
      'typeorm_tasks.TaskCancelled',
    ])
  })

  it('says what a transactional task lacks', async () => {
    const transfer = task('kit.transfer', () => {}, { transactional: true })
    await transfer.enqueue()
    await expect(tasks.run()).rejects.toThrow(/has no data source, so a transactional task/)
  })

  it('names a task that is not defined here', async () => {
    const { remoteTask } = await import('typeorm-tasks')
    await remoteTask('kit.elsewhere').enqueue()
    await expect(tasks.run()).rejects.toThrow('No task is named "kit.elsewhere"')
  })
})

describe('time', () => {
  it('travel makes due what is due by then, and ends throttles', async () => {
    const throttled = note.using({ throttle: { key: 'n', every: 60_000 } })
    await note.using({ runAfter: new Date(Date.now() + 3_600_000) }).enqueue('in an hour')
    await throttled.enqueue('now')
    await tasks.run()
    expect((await throttled.enqueue('too soon')).isDuplicate).toBe(true)
    expect(seen).toEqual(['now'])

    await tasks.travel(3_600_001)
    await tasks.run()
    expect(seen).toEqual(['now', 'in an hour'])
    expect((await throttled.enqueue('again')).isDuplicate).toBe(false)
    await expect(tasks.travel(-1)).rejects.toBeInstanceOf(InvalidSettingsError)
  })

  it.each([-1, Number.NaN, Number.MAX_SAFE_INTEGER])('does not travel %d ms', async (ms) => {
    await expect(tasks.travel(ms)).rejects.toThrow(
      /^travel, ms: expected a number of milliseconds from 0 to 31557600000000, which are 1000 years, got/,
    )
  })

  it('travel makes tasks too old', async () => {
    await note.using({ maxAge: 1_000 }).enqueue('late')
    await tasks.travel(2_000)
    await expect(tasks.run()).rejects.toThrow('MaxAgeExceeded')
  })

  it('follows the fake clock of the runner, and waits for none of its timers', async () => {
    jest.useFakeTimers()
    try {
      await note.using({ runAfter: new Date(Date.now() + 60_000) }).enqueue('in a minute')
      expect((await tasks.run()).runs).toBe(0)
      jest.setSystemTime(Date.now() + 60_000)
      expect((await tasks.run()).runs).toBe(1)
    } finally {
      jest.useRealTimers()
    }
  })

  it('fires a schedule for its last slot, or for the one that is told', async () => {
    const last = await tasks.fire('kit.hourly')
    const slot = new Date('2030-01-01T05:00:00Z')
    const told = await tasks.fire('kit.hourly', slot)
    await tasks.run()
    expect((await told.refresh()).returnValue).toBe(slot.toISOString())
    expect((await last.refresh()).returnValue).toMatch(/:00:00\.000Z$/)
    await expect(tasks.fire('kit.hourl')).rejects.toThrow('Did you mean "kit.hourly"?')
  })
})

describe('workers', () => {
  it('run side by side on what was recorded, and `finished` waits for one task', async () => {
    const { workers } = await tasks.workers(2)
    expect(workers).toHaveLength(2)
    const results = await add.enqueueMany([[1], [2], [3]])
    const ends = await Promise.all(results.map((result) => tasks.finished(result)))
    expect(ends.map(({ returnValue }) => returnValue)).toEqual([11, 12, 13])

    const failed = await fail.enqueue('on purpose')
    jest.spyOn(console, 'error').mockImplementation(() => {})
    await expect(tasks.finished(failed)).rejects.toThrow('RangeError: on purpose')
    expect((await tasks.finished(failed, { throwFailures: false })).status).toBe('FAILED')
    await tasks.restore()
    expect(workers.map(({ state }) => state)).toEqual(['ended', 'ended'])
  })

  it('without any, `finished` gives up in time', async () => {
    const result = await add.enqueue(1)
    await expect(tasks.finished(result, { timeout: 20 })).rejects.toBeInstanceOf(WaitTimeoutError)
    await expect(tasks.workers(0)).rejects.toThrow('expected a whole number, 1 or more')
  })

  it('an app that starts its own gets one on what was recorded', async () => {
    const worker = await startWorker({ interval: 10 })
    await tasks.finished(await note.enqueue('by the app'))
    await worker.stop()
    expect(seen).toEqual(['by the app'])
  })
})

describe('inline', () => {
  beforeEach(async () => {
    await tasks.restore()
    tasks = testTasks({ mode: 'inline' })
  })

  it('runs a task, and what that enqueues, before the enqueue resolves', async () => {
    const result = await two.enqueue()
    expect(seen).toEqual(['first of two', 'second of two'])
    expect(result.status).toBe('SUCCESSFUL')
    expect(tasks.enqueued().map(({ status }) => status)).toEqual(Array(3).fill('SUCCESSFUL'))
    tasks.expectEnqueued(note, ['first of two'])
  })

  it('throws a failure at the caller, also from within another task', async () => {
    await expect(fail.enqueue('at once')).rejects.toMatchObject({
      code: 'TASK_RUN',
      cause: new RangeError('at once'),
    })
    const outer = task('kit.outer', async () => void (await fail.enqueue('inside')))
    await expect(outer.enqueue()).rejects.toThrow('inside')
  })

  it('tries again at once, and leaves what is due later', async () => {
    failures = 2
    expect((await flaky.enqueue()).returnValue).toBe('at last')
    await note.using({ runAfter: new Date(Date.now() + 60_000) }).enqueue('later')
    expect(seen).toEqual([])
    await tasks.run({ untilFinished: true })
    expect(seen).toEqual(['later'])
  })

  it('runs all of many, also after one has failed', async () => {
    const many = task('kit.many', (what: string) => {
      seen.push(what)
      if (what === 'bad') throw new Error('bad one')
    })
    await expect(many.enqueueMany([['bad'], ['good']])).rejects.toThrow('bad one')
    expect(seen).toEqual(['bad', 'good'])
    expect(tasks.enqueued(many).map(({ status }) => status)).toEqual(['FAILED', 'SUCCESSFUL'])
  })

  it('runs each of many, and whole flows', async () => {
    const results = await add.enqueueMany([[1], [2]])
    expect(results.map(({ returnValue }) => returnValue)).toEqual([11, 12])
    const flow = await add
      .order(1, 2)
      .next((sum) => add.order(sum, 100))
      .enqueue()
    expect(flow.last.returnValue).toBe(103)
  })
})

describe('inline, what never ends', () => {
  beforeEach(async () => {
    await tasks.restore()
    tasks = testTasks({ mode: 'inline' })
  })

  it('is a task that throws RetryLater for ever', async () => {
    const later = task('kit.forEver', () => {
      throw new RetryLater(60_000)
    })
    await expect(later.enqueue()).rejects.toThrow(
      /^After 1000 runs task "kit.forEver" \(.*\) is to run again/,
    )
  })

  it('is a task that enqueues itself again and again', async () => {
    const failure = await endless.enqueue().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TaskRunError)
    expect(String((failure as TaskRunError).stack).length).toBeLessThan(100_000)
    expect(tasks.enqueued(endless)).toHaveLength(1_001)
  })

  it('is not a task that enqueues others, in a chain or side by side', async () => {
    const chain = task('kit.chain', async (n: number): Promise<void> => {
      if (n > 1) await chain.enqueue(n - 1)
    })
    expect((await chain.enqueue(1_000)).status).toBe('SUCCESSFUL')
    const wide = task('kit.wide', async () => {
      await Promise.all(Array.from({ length: 1_100 }, () => nothing.enqueue()))
    })
    expect((await wide.enqueue()).status).toBe('SUCCESSFUL')
  })
})

describe('inline, a flow', () => {
  beforeEach(async () => {
    await tasks.restore()
    tasks = testTasks({ mode: 'inline' })
  })

  it('tries a member again at once', async () => {
    failures = 2
    const flow = await group([flaky.order(), flaky.order()])
      .next((values) => echo.order(values))
      .enqueue()
    expect(flow.last.returnValue).toEqual(['at last', 'at last'])
  })

  it('may have many members', async () => {
    const orders = Array.from({ length: 1_100 }, (_, i) => add.order(i))
    const flow = await group(orders)
      .next((values) => echo.order(values))
      .enqueue()
    expect(flow.last.returnValue).toHaveLength(1_100)
  })

  it('runs its own tasks only', async () => {
    await note.using({ runAfter: new Date(Date.now() + 60_000) }).enqueue('of nobody')
    await tasks.travel(120_000)
    await group([note.order('member')])
      .next(() => note.order('last'))
      .enqueue()
    expect(seen).toEqual(['member', 'last'])
  })

  it('throws what a member throws, once the callback has run', async () => {
    const told = task('kit.told', () => void seen.push('told'))
    const flow = group([fail.order('the reason'), note.order('other')]).onFailure(() =>
      told.order(),
    )
    await expect(flow.enqueue()).rejects.toMatchObject({ cause: new RangeError('the reason') })
    expect(seen).toEqual(['other', 'told'])
  })
})

describe('bad input', () => {
  it.each([
    [{ mode: 'eager' }, "testTasks, mode: expected 'record', 'inline' or 'database', got 'eager'"],
    [{ mod: 'inline' }, 'Did you mean "mode"?'],
    [{ redact: { keys: 'x' } }, 'testTasks, redact: expected { keys'],
    [{ mode: 'inline', database: () => {} }, 'Leave database out'],
    [{ mode: 'database' }, 'TASKS.default is Transactional, which keeps no tasks in a database'],
    [{ database: 7 }, 'expected a DataSource, or a function that returns one, got 7'],
  ])('%j: %s', (options, message) => {
    expect(() => testTasks(options as never)).toThrow(message)
    expect(backends.get('default')).toBeInstanceOf(TaskBackend)
  })

  it.each([
    [{ queue: 'x' }, 'run: unknown option "queue"'],
    [{ queues: [] }, 'run: queues is empty'],
    [{ atMost: 0 }, 'run, atMost: expected a whole number, 1 or more, got 0'],
    [{ untilFinished: 'yes' }, 'run, untilFinished: expected true or false'],
    [{ manager: {} }, 'run: unknown option "manager"'],
  ])('run(%j): %s', async (options, message) => {
    await expect(tasks.run(options as never)).rejects.toThrow(message)
  })

  it('says what an expectation is not', () => {
    expect(() => tasks.expectEnqueued(undefined as never)).toThrow(InvalidTaskError)
    expect(() => tasks.expectEnqueued(note, 'a' as never)).toThrow('expected a list of arguments')
    expect(() => tasks.expectEnqueued(note, ['a'], { queue: 'x' } as never)).toThrow(
      'unknown option "queue"',
    )
    expect(() => tasks.expectEnqueued(note, ['a'], { runAfter: new Date() } as never)).toThrow(
      'runAfter: expected { of: Date, within: ms }, or null, got Date',
    )
    expect(() =>
      tasks.expectEnqueued(note, ['a'], { runAfter: { of: new Date(), within: -1 } }),
    ).toThrow('runAfter.within: expected')
    expect(NotSupportedError.name).toBe('NotSupportedError')
  })
})
