import { configureTasks } from 'typeorm-tasks'
import type { CountQuery, ListQuery, TaskBackend } from '#lib/backend'
import type { TaskResult } from '#result'
import {
  NotFinishedError,
  NotSerializableError,
  ResultMismatchError,
  ResultNotFoundError,
  TaskFailedError,
  WaitTimeoutError,
} from '#errors'
import { backends } from '../../lib/backend-registry'
import type { BackendClass, TasksSettings } from '#configure'
import { type TaskEvent, taskEnqueued, taskFinished, taskStarted } from '#signals'
import {
  add,
  catchLog,
  contextual,
  echo,
  fail,
  keywords,
  type Line,
  nothing,
  unfit,
} from '../support/tasks'

/** What differs from backend to backend, as far as a caller can see. */
export interface BackendPlace {
  readonly BACKEND: BackendClass
  readonly options: () => object
  /** `at enqueue`, `later` by a worker, or `never`. */
  readonly runs: 'at enqueue' | 'later' | 'never'
  /** Lets a worker run what waits. */
  readonly work: () => Promise<unknown>
  /** It must know the names of its queues, so that QUEUES must name them. Default false. */
  readonly namesQueues?: boolean
  /** Its `check` warns of the server that specs start, which keeps nothing on disk. Default false. */
  readonly warns?: boolean
  /** The backends that it stands on: whose rows its tasks are. `within` of a list then holds for each of them. */
  readonly shards?: () => TasksSettings
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const unknownId = '01900000-0000-7000-8000-000000000000'

/** Values that JSON carries, each as it comes back. */
const carried: [string, unknown, unknown][] = [
  [
    'numbers',
    [0, -1, 0.1, 1e21, 1.5e300, 5e-324, Number.MAX_SAFE_INTEGER, -0],
    [0, -1, 0.1, 1e21, 1.5e300, 5e-324, Number.MAX_SAFE_INTEGER, 0],
  ],
  [
    'texts that look like other things',
    ['', '123', 'null', 'true', '{"a":1}', '2026-01-01T00:00:00Z'],
    ['', '123', 'null', 'true', '{"a":1}', '2026-01-01T00:00:00Z'],
  ],
  [
    'quotes, backslashes, newlines and emoji',
    `' " \\ \\u0041 \r\n\t 😀 naïve 日本 ? $1 :name`,
    `' " \\ \\u0041 \r\n\t 😀 naïve 日本 ? $1 :name`,
  ],
  ['a text alone', '123', '123'],
  ['false and null', [false, true, null], [false, true, null]],
  ['empty things', [[], {}, { a: [] }], [[], {}, { a: [] }]],
  [
    'an object that leaves something out',
    { a: 1, b: undefined, c: { d: undefined } },
    { a: 1, c: {} },
  ],
  [
    'an object without a prototype',
    Object.assign(Object.create(null) as object, { a: 1 }),
    { a: 1 },
  ],
  [
    'awkward keys',
    { '': 1, 'a b': 2, '"': 3, '\\': 4, 'ü😀': 5, constructor: 6 },
    { '': 1, 'a b': 2, '"': 3, '\\': 4, 'ü😀': 5, constructor: 6 },
  ],
  ['values as deep as is allowed', nested(28), nested(28)],
]

/** What each backend must do alike. */
export function backendContract({
  BACKEND,
  options,
  runs,
  work,
  namesQueues = false,
  warns = false,
  shards,
}: BackendPlace): void {
  const others = shards ?? (() => ({}))
  const itRuns = runs === 'never' ? it.skip : it
  const itWaits = runs === 'at enqueue' ? it.skip : it
  let lines: Line[]
  let heard: [string, TaskEvent][]
  const disconnect: (() => void)[] = []

  beforeEach(() => {
    configureTasks({
      ...others(),
      default: { BACKEND, QUEUES: ['default', 'mail'], OPTIONS: options() },
    })
    lines = catchLog()
    heard = []
    for (const signal of [taskEnqueued, taskStarted, taskFinished])
      disconnect.push(signal.connect((event) => void heard.push([signal.name, event])))
  })
  afterEach(() => {
    for (const undo of disconnect.splice(0)) undo()
  })

  it('gives a result of the same shape as every other backend', async () => {
    const result = await echo
      .using({ queueName: 'mail' })
      .enqueueWith({ args: [1, 'two'], kwargs: { three: null } })

    expect(Object.keys(result.toJSON()).toSorted()).toEqual([
      'args',
      'attempts',
      'backend',
      'enqueuedAt',
      'errors',
      'finishedAt',
      'id',
      'isWaiting',
      'kwargs',
      'priority',
      'progress',
      'queueName',
      'returnValue',
      'runAfter',
      'startedAt',
      'status',
      'task',
      'workerIds',
    ])
    expect(result.id).toMatch(uuid)
    expect(result.task).toBe(echo)
    expect(result.toJSON()).toMatchObject({
      task: 'spec.echo',
      args: [1, 'two'],
      kwargs: { three: null },
      backend: shards ? expect.stringMatching(/^db[12]$/) : 'default',
      queueName: 'mail',
      priority: 0,
      runAfter: null,
      progress: null,
    })
    expect(Math.abs(result.enqueuedAt!.getTime() - Date.now())).toBeLessThan(5_000)
  })

  itWaits('gives a result that waits and has nothing to show yet', async () => {
    const result = await add.enqueue(1)

    expect(result).toMatchObject({
      status: 'READY',
      isFinished: false,
      startedAt: null,
      finishedAt: null,
      lastAttemptedAt: null,
      attempts: 0,
      workerIds: [],
      errors: [],
      args: [1],
    })
    expect(() => result.returnValue).toThrow(NotFinishedError)
    expect(() => result.returnValue).toThrow(`Task ${result.id} has not finished yet: it is READY.`)
  })

  itRuns('runs the task and gives back what it returned', async () => {
    const [one, two] = [await add.enqueue(1), await add.enqueue(1, 2)]
    await work()

    expect((await one.refresh()).returnValue).toBe(11)
    expect((await two.refresh()).returnValue).toBe(3)
    expect(two).toMatchObject({
      status: 'SUCCESSFUL',
      isFinished: true,
      attempts: 1,
      errors: [],
      workerIds: [expect.stringMatching(/^\S{1,64}$/)],
    })
    expect(two.startedAt!.getTime()).toBeGreaterThanOrEqual(two.enqueuedAt!.getTime())
    expect(two.finishedAt!.getTime()).toBeGreaterThanOrEqual(two.startedAt!.getTime())
    expect(two.lastAttemptedAt).toEqual(two.startedAt)
  })

  itRuns('gives null for a task that returns nothing', async () => {
    const result = await nothing.enqueue()
    await work()

    expect((await result.refresh()).returnValue).toBeNull()
  })

  itRuns(
    'records what a failing task threw, and says so when its return value is read',
    async () => {
      const result = await fail.enqueue('too "far"\nsecond line')
      await work()

      await result.refresh()
      expect(result).toMatchObject({ status: 'FAILED', isFinished: true, attempts: 1 })
      expect(result.errors).toEqual([
        {
          exceptionClassPath: 'RangeError',
          traceback: expect.stringMatching(
            /^RangeError: too "far"\nsecond line\n {4}at [\s\S]*\n$/,
          ) as string,
        },
      ])
      expect(() => result.returnValue).toThrow(TaskFailedError)
      expect(() => result.returnValue).toThrow(`Task ${result.id} failed: RangeError: too "far"`)
    },
  )

  itRuns(
    'F54 fails a task that returns what JSON cannot carry, and keeps nothing of it',
    async () => {
      const result = await unfit.enqueue()
      await work()

      await result.refresh()
      expect(result.errors).toEqual([
        {
          exceptionClassPath: 'typeorm_tasks.NotSerializableError',
          traceback: expect.stringContaining(
            'Task "spec.unfit", return value.when: Date; pass when.toISOString()',
          ) as string,
        },
      ])
      expect(result.toJSON()).toMatchObject({ status: 'FAILED', returnValue: null })
    },
  )

  it.each(carried)('F54 carries %s to the task and back', async (_, value, expected) => {
    const result = await echo.enqueue(value)
    await work()

    expect((await result.refresh()).args).toEqual([expected])
    if (runs !== 'never') expect(result.returnValue).toStrictEqual(expected)
  })

  it('F55 refuses what JSON cannot carry, and enqueues nothing', async () => {
    await expect(echo.enqueue({ when: new Date(0) })).rejects.toThrow(NotSerializableError)
    await expect(echo.enqueueMany([[1], [Number.NaN]])).rejects.toThrow(
      'Task "spec.echo", call 1, args[0]: NaN; pass null or a finite number',
    )
    await expect(echo.enqueueWith({ kwargs: { big: 1n } })).rejects.toThrow(
      'kwargs.big: bigint; pass it as text',
    )

    expect(heard).toEqual([])
  })

  it('takes its arguments as they are at that moment', async () => {
    const value = { list: [1] }
    const promise = echo.enqueue(value)
    value.list.push(2)
    const result = await promise
    await work()

    expect((await result.refresh()).args).toEqual([{ list: [1] }])
    if (runs !== 'never') expect(result.returnValue).toEqual({ list: [1] })
  })

  it('leaves out optional arguments that were not given', async () => {
    const result = await add.enqueue(1, undefined)
    await work()

    expect((await result.refresh()).args).toEqual([1])
    if (runs !== 'never') expect(result.returnValue).toBe(11)
  })

  itRuns(
    'hands keyword arguments over as one last object, and none when there are none',
    async () => {
      const both = await keywords.enqueueWith({ args: [1], kwargs: { tone: 'warm' } })
      const none = await keywords.enqueueWith({ args: [1] })
      await work()

      expect((await both.refresh()).returnValue).toEqual([1, { tone: 'warm' }])
      expect((await none.refresh()).returnValue).toEqual([1])
    },
  )

  itRuns('tells the task its id, its attempt, and keeps its progress', async () => {
    const result = await contextual.enqueue('half')
    await work()

    await result.refresh()
    expect(result.returnValue).toEqual({ id: result.id, attempt: 1, aborted: false })
  })

  it('enqueues many in the order they were given, and none for none', async () => {
    const results = await add.enqueueMany([[1, 1], [2, 2], [3]])
    await work()

    expect(results.map(({ args }) => args)).toEqual([[1, 1], [2, 2], [3]])
    expect(new Set(results.map(({ id }) => id)).size).toBe(3)
    await Promise.all(results.map((result) => result.refresh()))
    if (runs !== 'never') expect(results.map(({ returnValue }) => returnValue)).toEqual([2, 4, 13])
    expect(await add.enqueueMany([])).toEqual([])
  })

  it('enqueues from many places at once', async () => {
    const results = await Promise.all(Array.from({ length: 40 }, (_, i) => add.enqueue(i, 1)))
    await work()

    expect(
      (await Promise.all(results.map((result) => result.refresh()))).map(({ args }) => args[0]),
    ).toEqual(Array.from({ length: 40 }, (_, i) => i))
  })

  it('gives a result again by its id, in any spelling', async () => {
    const result = await add.enqueue(1, 2)
    await work()

    const found = await add.getResult(result.id.toUpperCase())
    expect(found.toJSON()).toEqual((await result.refresh()).toJSON())
    expect(found).not.toBe(result)
  })

  it('knows no result of an unknown id, nor of what is no id at all', async () => {
    for (const id of [unknownId, '', 'job-1', "' OR 1=1 --", '0'.repeat(33), '\u0000'])
      await expect(add.getResult(id)).rejects.toThrow(ResultNotFoundError)
    for (const id of [null, undefined, 7, {}])
      await expect(add.getResult(id as unknown as string)).rejects.toThrow(ResultNotFoundError)
  })

  it('refuses to give the result of another task', async () => {
    const result = await add.enqueue(1)

    await expect(echo.getResult(result.id)).rejects.toThrow(ResultMismatchError)
    await expect(echo.getResult(result.id)).rejects.toThrow(
      `The result ${result.id} is of task "spec.add", not of "spec.echo".`,
    )
  })

  if (runs === 'later')
    it('gives a snapshot that changes only when it is told to', async () => {
      const result = await add.enqueue(1)
      const other = await add.getResult(result.id)
      await work()

      expect(result).toMatchObject({ status: 'READY', attempts: 0 })
      expect(await result.refresh()).toBe(result)
      expect(result).toMatchObject({ status: 'SUCCESSFUL', attempts: 1 })
      expect(other.status).toBe('READY')
    })

  itRuns('waits for the end, however it comes', async () => {
    const [good, bad] = [await add.enqueue(1), await fail.enqueue('no')]
    const waiting = Promise.all([good.wait({ timeout: 10_000 }), bad.wait({ timeout: 10_000 })])
    await work()

    expect((await waiting).map(({ status }) => status)).toEqual(['SUCCESSFUL', 'FAILED'])
    expect((await waiting)[0]).toBe(good)
  })

  itWaits('gives up waiting after its time, or when told to', async () => {
    const result = await add.enqueue(1)

    await expect(result.wait({ timeout: 30 })).rejects.toThrow(WaitTimeoutError)
    await expect(result.wait({ timeout: 0 })).rejects.toThrow(
      `Task ${result.id} did not finish within 0 ms: it is READY.`,
    )
    await expect(result.wait({ timeout: 10_000, signal: AbortSignal.timeout(30) })).rejects.toThrow(
      'timeout',
    )
    expect(result.status).toBe('READY')
  })

  it('sends its signals in order, each with the result as it stands then', async () => {
    const result = await add.enqueue(1, 2)
    await work()

    const expected = [
      ['taskEnqueued', 'READY'],
      ...(runs === 'never'
        ? []
        : [
            ['taskStarted', 'RUNNING'],
            ['taskFinished', 'SUCCESSFUL'],
          ]),
    ]
    expect(heard.map(([name, event]) => [name, event.result.status])).toEqual(expected)
    expect(
      heard.every(
        ([
          ,
          {
            backend,
            result: { id },
          },
        ]) =>
          (shards ? backend.alias === result.backend : backend === theBackend()) &&
          id === result.id,
      ),
    ).toBe(true)
    if (runs !== 'never') expect(heard[2]?.[1].result.returnValue).toBe(3)
  })

  it('F64 lets no listener change a fate, or hold a task up, whether it throws, rejects or never comes back', async () => {
    for (const signal of [taskEnqueued, taskStarted, taskFinished]) {
      disconnect.push(signal.connect(() => new Promise(() => {})))
      disconnect.push(
        signal.connect(() => {
          throw new Error('listener')
        }),
      )
      disconnect.push(
        signal.connect(async () => {
          throw new Error('later')
        }),
      )
    }

    const result = await add.enqueue(1, 2)
    await work()
    await new Promise((resolve) => setImmediate(resolve))

    expect((await result.refresh()).status).toBe(runs === 'never' ? 'READY' : 'SUCCESSFUL')
    const faults = lines.filter(
      ([level, line]) =>
        level === 'error' && line.includes(`failed for task ${result.id}: Error: `),
    )
    expect(faults).toHaveLength(runs === 'never' ? 2 : 6)
  })

  it("writes Django's log lines", async () => {
    const good = await add.enqueue(1)
    const bad = await fail.enqueue('no\nway')
    await work()

    const about = (id: string): Line[] => lines.filter(([, line]) => line.includes(id))
    expect(about(good.id)).toEqual([
      ['debug', `Task id=${good.id} path=spec.add enqueued backend=${good.backend}`],
      ...(runs === 'never'
        ? []
        : [
            ['info', `Task id=${good.id} path=spec.add state=RUNNING`],
            ['info', `Task id=${good.id} path=spec.add state=SUCCESSFUL`],
          ]),
    ])
    if (runs !== 'never')
      expect(about(bad.id).at(-1)).toEqual([
        'error',
        `Task id=${bad.id} path=spec.fail state=FAILED error=RangeError: no`,
      ])
  })

  it('refuses a queue that is not in QUEUES, when the task is made and again at enqueue', async () => {
    expect(() => add.using({ queueName: 'mial' })).toThrow(
      'Task "spec.add": queue "mial" is not in QUEUES of TASKS.default (default, mail). Did you mean "mail"?',
    )

    const mailed = add.using({ queueName: 'mail' })
    configureTasks({ ...others(), default: { BACKEND, OPTIONS: options() } })
    await expect(mailed.enqueue(1)).rejects.toThrow('queue "mail" is not in QUEUES')
    await expect(mailed.enqueueMany([[1]])).rejects.toThrow('queue "mail" is not in QUEUES')
    expect(heard).toEqual([])
  })

  const itTakesAny = namesQueues ? it.skip : it
  itTakesAny('takes any queue when QUEUES is empty', async () => {
    configureTasks({ ...others(), default: { BACKEND, QUEUES: [], OPTIONS: options() } })

    expect((await nothing.using({ queueName: 'anything' }).enqueue()).queueName).toBe('anything')
  })

  it('keeps what the copy changed: priority, and a delay where there can be one', async () => {
    const tomorrow = new Date(Date.now() + 86_400_000)
    expect((await nothing.using({ priority: -100 }).enqueue()).priority).toBe(-100)

    if (runs === 'at enqueue')
      expect(() => nothing.using({ runAfter: tomorrow })).toThrow(
        'Task "spec.nothing" asks for runAfter, which ImmediateBackend (TASKS.default) does not support. Leave runAfter out, or use the Database backend.',
      )
    else expect((await nothing.using({ runAfter: tomorrow }).enqueue()).runAfter).toEqual(tomorrow)
  })

  itWaits('gives the waiting task of the same unique key, and announces it once', async () => {
    const keyed = add.using({ uniqueKey: 'one of a kind' })
    const first = await keyed.enqueue(1)

    const second = await keyed.enqueue(2)
    const [third, fourth] = await keyed.using({ uniqueKey: 'another' }).enqueueMany([[3], [4]])

    expect(second.toJSON()).toEqual(first.toJSON())
    expect(fourth!.id).toBe(third!.id)
    expect(heard).toHaveLength(2)
  })

  itRuns('frees a unique key once its task has finished', async () => {
    const keyed = add.using({ uniqueKey: 'one at a time' })
    const first = await keyed.enqueue(1)
    await work()

    expect((await keyed.enqueue(2)).id).not.toBe(first.id)
  })

  it('lists its results, the newest first, each as it is', async () => {
    const results = await lists()
    await work()

    const listed = await theBackend().list({ limit: 10 })
    expect(listed.map(({ id }) => id)).toEqual(results.map(({ id }) => id).toReversed())
    expect(listed.map((result) => result.toJSON())).toEqual(
      (await Promise.all(results.toReversed().map((result) => result.refresh()))).map((result) =>
        result.toJSON(),
      ),
    )
  })

  it('lists the results that are asked for, page by page', async () => {
    const [one, two, mailed, echoed] = (await lists()).map(({ id }) => id)
    const list = async (query: Partial<ListQuery>): Promise<string[]> =>
      (await theBackend().list({ limit: 10, ...query })).map(({ id }) => id)

    expect(await list({ limit: 2 })).toEqual([echoed, mailed])
    expect(await list({ limit: 2, before: mailed! })).toEqual([two, one])
    expect(await list({ before: one! })).toEqual([])
    expect(await list({ queues: ['mail', 'nobody'] })).toEqual([mailed])
    expect(await list({ queues: null, taskName: 'spec.echo' })).toEqual([echoed])
    expect(await list({ status: 'FAILED' })).toEqual([])
    expect(await list({ status: runs === 'at enqueue' ? 'SUCCESSFUL' : 'READY' })).toHaveLength(4)
    await expect(list({ before: 'job-1' })).rejects.toThrow(ResultNotFoundError)
  })

  const itLooks = shards ? it.skip : it
  itLooks(
    'looks at the newest results only, where it is asked to, and finds no older ones',
    async () => {
      const [, two, mailed, echoed] = (await lists()).map(({ id }) => id)
      const list = async (query: Partial<ListQuery>): Promise<string[]> =>
        (await theBackend().list({ limit: 10, ...query })).map(({ id }) => id)
      const count = async (query: CountQuery): Promise<number> =>
        Object.values(await theBackend().counts(query)).reduce((sum, n) => sum + n)

      expect(await list({ within: 3 })).toEqual([echoed, mailed, two])
      expect(await list({ within: 3, limit: 1 })).toEqual([echoed])
      expect(await list({ within: 2, queues: ['mail'] })).toEqual([mailed])
      expect(await list({ within: 1, queues: ['mail'] })).toEqual([])
      expect(await list({ within: 1, queues: ['mail'], before: echoed! })).toEqual([mailed])
      expect(await list({ within: 2, taskName: 'spec.echo', status: 'FAILED' })).toEqual([])
      expect(await list({ within: 0 })).toHaveLength(4)
      expect(await count({ within: 3 })).toBe(3)
      expect(await count({ within: 9 })).toBe(4)
      expect(await count({ before: echoed! })).toBe(3)
      expect(await count({ within: 2, queues: ['default'], before: echoed! })).toBe(1)
      await expect(count({ before: 'job-1' })).rejects.toThrow(ResultNotFoundError)
    },
  )

  it('counts its results in each status, also of some queues', async () => {
    await lists()
    await work()

    const none = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, WAITING: 0 }
    const status = runs === 'never' ? 'READY' : 'SUCCESSFUL'
    expect(await theBackend().counts()).toEqual({ ...none, [status]: 4 })
    expect(await theBackend().counts({ queues: ['mail'] })).toEqual({ ...none, [status]: 1 })
    expect(await theBackend().counts({ queues: ['nobody'] })).toEqual(none)
    expect(await theBackend().counts({ taskName: 'spec.echo' })).toEqual({ ...none, [status]: 1 })
    expect(await theBackend().counts({ everyBackend: true })).toMatchObject({ [status]: 4 })
    expect(await theBackend().counts({ excludeQueues: ['mail'] })).toEqual({ ...none, [status]: 3 })
  })

  itRuns(
    'retries what has failed, and keeps its error among those of earlier attempts',
    async () => {
      const failing = await fail.enqueue('no')
      await work()
      const [error] = (await failing.refresh()).errors

      const again = await theBackend().retry(failing.id.toUpperCase())

      expect(again).toMatchObject({ id: failing.id, runAfter: null, progress: null })
      expect(again.errors[0]).toEqual(error)
      if (runs === 'later')
        expect(again).toMatchObject({
          status: 'READY',
          finishedAt: null,
          attempts: 1,
          errors: [error],
        })
      await work()
      await failing.refresh()
      expect(failing).toMatchObject({ status: 'FAILED', attempts: 2 })
      expect(failing.errors).toEqual([
        error,
        expect.objectContaining({ exceptionClassPath: 'RangeError' }),
      ])
    },
  )

  it('retries nothing else', async () => {
    const result = await add.enqueue(1)
    await work()

    await expect(theBackend().retry(result.id)).rejects.toThrow(
      `Task ${result.id} (spec.add) is ${runs === 'never' ? 'READY' : 'SUCCESSFUL'}; only a FAILED one can be retried.`,
    )
    await expect(theBackend().retry(unknownId)).rejects.toThrow(ResultNotFoundError)
    await expect(theBackend().retry('job-1')).rejects.toThrow(ResultNotFoundError)
  })

  itWaits('fails a waiting task that is cancelled, which can be retried, too', async () => {
    const result = await add.using({ uniqueKey: 'cancelled' }).enqueue(1)

    expect(await result.cancel()).toMatchObject({
      status: 'FAILED',
      errors: [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }],
    })

    const holder = await add.using({ uniqueKey: 'cancelled' }).enqueue(2)
    expect(holder.id).not.toBe(result.id)
    await expect(theBackend().retry(result.id)).rejects.toThrow(`is held by task ${holder.id}`)
    await holder.cancel()
    expect((await theBackend().retry(result.id)).status).toBe('READY')
    expect((await add.using({ uniqueKey: 'cancelled' }).enqueue(3)).id).toBe(result.id)
    await work()
    expect(await result.refresh()).toMatchObject({
      status: runs === 'never' ? 'READY' : 'SUCCESSFUL',
      errors: [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }],
    })
  })

  itWaits('refuses a unique key that another task holds', async () => {
    await add.using({ uniqueKey: 'shared' }).enqueue(1)

    await expect(echo.using({ uniqueKey: 'shared' }).enqueue(1)).rejects.toThrow(
      'The unique key "shared" is held by task "spec.add"',
    )
  })

  it('has nothing to complain about when it is set up well', async () => {
    const problems = await theBackend().check()
    expect(problems.filter(({ level }) => !warns || level === 'error')).toEqual([])
  })
}

/** Four results of a few tasks and queues, oldest first. */
async function lists(): Promise<TaskResult<unknown>[]> {
  const results: TaskResult<unknown>[] = []
  for (const enqueue of [
    () => add.enqueue(1),
    () => add.enqueue(2),
    () => add.using({ queueName: 'mail' }).enqueue(3),
    () => echo.enqueue({ a: 1 }),
  ])
    results.push(await enqueue())
  return results
}

function theBackend(): TaskBackend {
  return backends.get('default')
}

function nested(depth: number): unknown {
  return depth === 0 ? 'deep' : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) }
}
