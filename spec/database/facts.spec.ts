import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  group,
  runUntilEmpty,
  setTracer,
  startWorker,
  task,
  type TaskFact,
  taskFacts,
  type Tracer,
} from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const CONTEXT = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'v=1' }

const plain = task('facts.plain', (n: number) => n)
const sum = task('facts.sum', (values: number[]) => values.length, { queueName: 'sums' })
let during: () => unknown = () => {}
const works = task('facts.works', () => during())
let isFailing = true
const shaky = task(
  'facts.shaky',
  () => {
    if (isFailing) throw new RangeError('secret')
  },
  { retry: { maxAttempts: 2, delay: 0 } },
)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let facts: TaskFact[] = []
  let deafen = (): void => {}
  const rows = () => dataSource.getRepository(DBTaskResult)
  const of = <What extends TaskFact['what']>(what: What) =>
    facts.filter((fact): fact is Extract<TaskFact, { what: What }> => fact.what === what)

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource },
      },
      same: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        QUEUES: [],
        OPTIONS: { dataSource, idFunction: () => '01a226dc-983a-73b3-978e-9335b846e1d6' },
      },
      immediate: { BACKEND: 'typeorm-tasks/backends/immediate#ImmediateBackend', QUEUES: [] },
    })
  })
  beforeEach(async () => {
    catchLog()
    isFailing = true
    facts = []
    await rows().clear()
    deafen = taskFacts.connect((fact) => void facts.push(fact))
  })
  afterEach(() => {
    deafen()
    setTracer(undefined)
  })

  it('tells of each call that enqueues how many rows it has written, by task and queue, and of one that fails its error', async () => {
    await plain.enqueue(1)
    await plain.enqueueMany(Array.from({ length: 1_000 }, (_, n) => [n] as [number]))
    await group([plain.order(1), plain.order(2)])
      .next((values) => sum.order(values))
      .enqueue()
    await plain.using({ uniqueKey: 'once' }).enqueue(1)
    await plain.using({ uniqueKey: 'once' }).enqueue(1)
    await plain
      .using({ backend: 'immediate', uniqueKey: 'once' })
      .enqueue(1)
      .catch(() => {})

    expect(of('sent').map(({ queue, task: name, count }) => [name, queue, count])).toEqual([
      ['facts.plain', 'default', 1],
      ['facts.plain', 'default', 1_000],
      ['facts.plain', 'default', 2],
      ['facts.sum', 'sums', 1],
      ['facts.plain', 'default', 1],
      ['facts.plain', 'default', 0],
      ['facts.plain', 'default', 1],
    ])
    await plain.using({ backend: 'same' }).enqueue(1)
    await expect(plain.using({ backend: 'same' }).enqueue(1)).rejects.toThrow()
    expect(of('sent').at(-1)).toMatchObject({
      count: 0,
      error: 'typeorm_tasks.AlreadyEnqueuedError',
    })
  })

  it('tells of each run when it starts and what came of it, with no argument, id or message', async () => {
    await plain.enqueue(7)
    await shaky.enqueue()

    await runUntilEmpty({ queues: '*' })

    const started = of('started').map(({ task: name, attempt }) => [name, attempt])
    expect(started.toSorted()).toEqual([
      ['facts.plain', 1],
      ['facts.shaky', 1],
      ['facts.shaky', 2],
    ])
    for (const { waitMs } of of('started')) expect(waitMs).toBeGreaterThanOrEqual(0)
    const ended = of('ended').map(({ task: name, outcome, error }) => [name, outcome, error])
    expect(ended.toSorted()).toEqual([
      ['facts.plain', 'successful', null],
      ['facts.shaky', 'failed', 'RangeError'],
      ['facts.shaky', 'retry', 'RangeError'],
    ])
    for (const { runMs } of of('ended')) expect(runMs).toBeGreaterThanOrEqual(0)
    expect(of('asked').map(({ verb }) => verb)).toContain('exchange')
    expect(JSON.stringify(facts)).not.toContain('secret')
  })

  it('tells the same of the Immediate backend', async () => {
    await shaky.using({ backend: 'immediate' }).enqueue()

    expect(facts.map(({ what }) => what)).toEqual(['started', 'ended', 'sent'])
    expect(of('ended')).toMatchObject([{ backend: 'immediate', outcome: 'failed' }])
  })

  it('tells of rows that were taken over from lost workers', async () => {
    await plain.enqueueMany([[1], [2]])
    await rows().update(
      { status: 'READY' },
      { status: 'RUNNING', claims: 1, leaseUntil: new Date(0) },
    )

    await runUntilEmpty()
    // A batch may have ended before they were due again.
    await runUntilEmpty()

    expect(of('rescued')).toEqual([{ what: 'rescued', backend: 'default', requeued: 2, failed: 0 }])
    // Since when it was due again the row does not say.
    expect(of('started').map(({ waitMs }) => waitMs)).toEqual([null, null])
  })

  it('tells of a run whose row another worker has taken over meanwhile', async () => {
    let finish = (): void => {}
    during = () => new Promise<void>((resolve) => (finish = resolve))
    const { id } = await works.enqueue()
    const worker = await startWorker()
    while ((await rows().findOneByOrFail({ id })).status !== 'RUNNING') await sleep(20)
    await rows().update({ id }, { claims: 99 })
    finish()
    while (of('lost').length === 0) await sleep(20)
    await worker.stop()

    expect(of('lost')).toEqual([
      { what: 'lost', backend: 'default', queue: 'default', task: 'facts.works' },
    ])
    expect(of('ended')).toEqual([])
  })

  it('knows the workers that are at work, and a listener that throws harms nobody', async () => {
    const mute = taskFacts.connect(() => {
      throw new Error('of the listener')
    })
    const lines = catchLog()
    const result = await plain.enqueue(1)
    const worker = await startWorker({ concurrency: 3, workerId: 'w' })

    expect([...taskFacts.workers]).toEqual([
      { workerId: 'w', backend: 'default', concurrency: 3, running: expect.any(Number) },
    ])
    await result.wait({ timeout: 5_000 })
    await worker.stop()
    mute()

    expect([...taskFacts.workers]).toEqual([])
    expect(result.status).toBe('SUCCESSFUL')
    expect(lines).toContainEqual(['error', expect.stringContaining('of the listener')])
  })

  it('writes the trace of a call into its rows, and that of the first run that failed into their history', async () => {
    const begun: unknown[] = []
    const ends: unknown[] = []
    setTracer(tracerThat(begun, ends))
    await shaky.enqueueMany([[], []])
    const [row] = await rows().find()
    expect(row?.options).toEqual({ trace: CONTEXT })

    await runUntilEmpty()

    const first = { attempt: 1, enqueued: CONTEXT, firstRun: null }
    const second = { attempt: 2, enqueued: CONTEXT, firstRun: CONTEXT.traceparent }
    expect(begun).toEqual(expect.arrayContaining([first, first, second, second]))
    expect(ends.toSorted()).toEqual(['failed', 'failed', 'retry', 'retry'])
    const stored = await rows().find()
    expect(stored.map(({ attemptErrors }) => attemptErrors?.[0])).toEqual([
      expect.objectContaining({ trace: CONTEXT.traceparent }),
      expect.objectContaining({ trace: CONTEXT.traceparent }),
    ])
  })

  it('runs rows whose trace somebody else has written badly, as rows of none', async () => {
    const begun: unknown[] = []
    setTracer(tracerThat(begun, []))
    const odd = [null, 7, [], {}, { traceparent: 'x' }, { traceparent: `00-${'0'.repeat(32)}-1-1` }]
    const results = await plain.enqueueMany(odd.map((_, n) => [n] as [number]))
    for (const [n, { id }] of results.entries())
      await rows().update({ id }, { options: { trace: odd[n] } as never })

    await runUntilEmpty()

    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(odd.length)
    expect(begun).toEqual(odd.map(() => ({ attempt: 1, enqueued: null, firstRun: null })))
  })

  it('takes a listener that rejects as one that throws', async () => {
    const lines = catchLog()
    const rejecting = taskFacts.connect(async () => {
      throw new Error('of the promise')
    })
    await plain.enqueue(1)
    rejecting()
    await new Promise(setImmediate)

    expect(lines).toContainEqual([
      'error',
      expect.stringMatching(/^A listener of task facts failed \(sent\): .*of the promise/),
    ])
  })

  it.each([
    ['before it stores', false],
    ['after it has stored', true],
  ])('enqueues once where the tracer throws %s', async (_, isStored) => {
    const lines = catchLog()
    setTracer({
      ...tracerThat([], []),
      send: async (__, store) => {
        if (isStored) await store(CONTEXT)
        throw new Error('of the tracer')
      },
    })
    const result = await plain.enqueue(1)

    expect(await rows().find({ select: { id: true } })).toEqual([{ id: result.id }])
    expect(lines).toContainEqual(['error', expect.stringContaining('of the tracer')])
  })

  it('runs tasks whatever the tracer throws', async () => {
    const lines = catchLog()
    setTracer({
      ...tracerThat([], []),
      begin: () => {
        throw new Error('of the tracer')
      },
    })
    const result = await plain.enqueue(1)

    await runUntilEmpty()

    expect((await result.refresh()).status).toBe('SUCCESSFUL')
    expect(lines).toContainEqual(['error', expect.stringContaining('of the tracer')])
  })
})

/** The least that follows tasks. */
function tracerThat(begun: unknown[], ends: unknown[]): Tracer {
  return {
    send: (_, store) => store(CONTEXT),
    begin: ({ attempt, enqueued, firstRun }) => {
      begun.push({ attempt, enqueued, firstRun })
      return {
        context: CONTEXT,
        within: (work) => work(),
        end: ({ outcome }) => void ends.push(outcome),
      }
    },
    inChild: (_, work) => work(),
    untraced: (work) => work(),
  }
}
