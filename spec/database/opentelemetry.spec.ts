import {
  context,
  createContextKey,
  metrics,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  DBTaskWorker,
  group,
  runUntilEmpty,
  setTracer,
  startWorker,
  task,
  taskFinished,
  type Tracer,
} from 'typeorm-tasks'
import { instrument, type InstrumentOptions } from 'typeorm-tasks/opentelemetry'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'
import { traceStatements } from '../support/traced-statements'

const spans = new InMemorySpanExporter()
const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA)
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })

/** When a processor of the app fails, for spans of tasks. */
let faulty: 'onStart' | 'onEnd' | undefined

function failIn(moment: typeof faulty, name: string): void {
  if (faulty === moment && /^(send|process) /.test(name)) throw new Error('of the processor')
}

trace.setGlobalTracerProvider(
  new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(spans),
      {
        onStart: (span) => failIn('onStart', (span as { name?: string }).name ?? ''),
        onEnd: ({ name }) => failIn('onEnd', name),
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  }),
)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))

const welcome = task('otel.welcome', (userId: number) => ({ userId }), { queueName: 'mail' })
const shaky = task(
  'otel.shaky',
  (secret: string) => {
    throw new RangeError(`shaky: ${secret.length}`)
  },
  { retry: { maxAttempts: 3, delay: 0 } },
)
let during: () => unknown = () => {}
const works = task('otel.works', async () => {
  trace.getTracer('app').startSpan('inner').end()
  await during()
})
const transfer = task(
  'otel.transfer',
  async (given) => {
    await given.manager.query('SELECT 1')
  },
  { transactional: true, takesContext: true },
)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let end = (): void => {}
  let untraceStatements = (): void => {}
  const rows = () => dataSource.getRepository(DBTaskResult)
  const named = (name: string): ReadableSpan[] =>
    spans.getFinishedSpans().filter((span) => span.name === name)
  const one = (name: string): ReadableSpan => {
    const found = named(name)
    if (!found[0] || found.length > 1) throw new Error(`${found.length} spans are named ${name}`)
    return found[0]
  }
  const idsOf = (span: ReadableSpan) => span.spanContext()
  const linksOf = (span: ReadableSpan) => span.links.map((link) => link.context.spanId)

  beforeAll(async () => {
    dataSource = await database.connect({
      entities: [DBTaskResult, DBTaskWorker],
      synchronize: true,
    })
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
    untraceStatements = traceStatements(database.name)
  })
  afterAll(() => untraceStatements())
  beforeEach(async () => {
    catchLog()
    during = () => {}
    faulty = undefined
    await rows().clear()
  })
  afterEach(() => end())

  async function begin(options?: InstrumentOptions): Promise<void> {
    await reader.forceFlush()
    exporter.reset()
    spans.reset()
    end = instrument(options)
  }

  it('makes a span of an enqueue, and a trace of its own of the run, which links to it', async () => {
    await begin()
    const { id } = await welcome.enqueue(424_242_424_242)
    await runUntilEmpty({ queues: '*' })

    const [send, process] = [one('send mail'), one('process mail')]
    expect(send.kind).toBe(SpanKind.PRODUCER)
    expect(send.attributes).toEqual({
      'messaging.system': 'typeorm_tasks',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'mail',
      'messaging.message.id': id,
      'typeorm_tasks.task': 'otel.welcome',
    })
    expect(process.kind).toBe(SpanKind.CONSUMER)
    expect(process.attributes).toEqual({
      'messaging.system': 'typeorm_tasks',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'mail',
      'messaging.message.id': id,
      'typeorm_tasks.task': 'otel.welcome',
      'typeorm_tasks.attempt': 1,
      'typeorm_tasks.lateness_ms': expect.any(Number),
      'typeorm_tasks.outcome': 'successful',
    })
    expect(idsOf(process).traceId).not.toBe(idsOf(send).traceId)
    expect(process.parentSpanContext).toBeUndefined()
    expect(process.links.map((link) => link.context)).toEqual([
      expect.objectContaining({ traceId: idsOf(send).traceId, spanId: idsOf(send).spanId }),
    ])
    const row = await rows().findOneByOrFail({ id })
    expect(row.options).toEqual({
      trace: { traceparent: `00-${idsOf(send).traceId}-${idsOf(send).spanId}-01` },
    })
    expect(
      JSON.stringify(spans.getFinishedSpans().map(({ attributes }) => attributes)),
    ).not.toMatch(/424242424242|userId/)
  })

  it("makes the run a part of the enqueue's trace where it is asked to", async () => {
    await begin({ parent: 'child' })
    await welcome.enqueue(1)
    await runUntilEmpty({ queues: '*' })

    const [send, process] = [one('send mail'), one('process mail')]
    expect(idsOf(process).traceId).toBe(idsOf(send).traceId)
    expect(process.parentSpanContext?.spanId).toBe(idsOf(send).spanId)
    expect(process.links).toEqual([])
  })

  it('makes one span of 1,000 orders of one call, and one of a flow', async () => {
    await begin()
    await welcome.enqueueMany(Array.from({ length: 1_000 }, (_, n) => [n] as [number]))
    await group([welcome.order(1), welcome.order(2)])
      .next(() => works.order())
      .enqueue()

    const send = one('send mail')
    expect(send.attributes).toMatchObject({ 'messaging.batch.message_count': 1_000 })
    expect(send.attributes).not.toHaveProperty('messaging.message.id')
    expect(one('send').attributes).toMatchObject({ 'messaging.batch.message_count': 3 })
    const traces = (await rows().find()).map(({ options }) => JSON.stringify(options?.['trace']))
    expect(new Set(traces).size).toBe(2)
    expect(await runUntilEmpty({ queues: '*' })).toMatchObject({ started: 1_003 })
    expect(linksOf(one('process default'))).toEqual([idsOf(one('send')).spanId])
  })

  it('makes a trace of each attempt, which links to the enqueue and to the first attempt', async () => {
    await begin()
    await shaky.enqueue('hunter2')
    await runUntilEmpty()

    const [first, second, third] = named('process default')
    const send = idsOf(one('send default')).spanId
    if (!first || !second || !third) throw new Error('There are less than three.')
    const traces = [first, second, third].map((span) => idsOf(span).traceId)
    expect(new Set(traces).size).toBe(3)
    expect(linksOf(first)).toEqual([send])
    expect(linksOf(second)).toEqual([send, idsOf(first).spanId])
    expect(linksOf(third)).toEqual([send, idsOf(first).spanId])
    expect(
      [first, second, third].map(({ attributes }) => attributes['typeorm_tasks.outcome']),
    ).toEqual(['retry', 'retry', 'failed'])
    const row = await rows().findOneByOrFail({})
    expect(third.attributes['error.type']).toBe('RangeError')
    expect(third.status).toEqual({ code: SpanStatusCode.ERROR, message: 'RangeError: shaky: 7' })
    expect(third.events).toMatchObject([
      {
        name: 'exception',
        attributes: { 'exception.type': 'RangeError', 'exception.stacktrace': row.traceback },
      },
    ])
    expect(
      JSON.stringify(
        spans.getFinishedSpans().map(({ attributes, events }) => [attributes, events]),
      ),
    ).not.toContain('hunter2')
  })

  it("traces statements of the enqueue and of the task, and none of the worker's own", async () => {
    during = () => dataSource.query('SELECT 1')
    await begin()
    await works.enqueue()
    const send = one('send default')
    const sent = named('statement')
    expect(sent.length).toBeGreaterThan(0)
    expect(new Set(sent.map(({ parentSpanContext }) => parentSpanContext?.spanId))).toEqual(
      new Set([idsOf(send).spanId]),
    )
    spans.reset()

    const worker = await startWorker({ interval: 20 })
    await new Promise((resolve) => setTimeout(resolve, 400))
    await worker.stop()

    const process = one('process default')
    const inside = spans.getFinishedSpans().filter((span) => span !== process)
    expect(inside.map(({ name }) => name).toSorted()).toEqual(['inner', 'statement'])
    for (const span of inside) expect(span.parentSpanContext?.spanId).toBe(idsOf(process).spanId)
  })

  it("has the transaction of a transactional task within the run's span", async () => {
    await begin()
    await transfer.enqueue()
    spans.reset()
    await runUntilEmpty()

    const process = one('process default')
    expect(named('statement').length).toBeGreaterThan(1)
    for (const { parentSpanContext } of named('statement'))
      expect(parentSpanContext?.spanId).toBe(idsOf(process).spanId)
  })

  it('traces what a listener of taskFinished does, outside of the bookkeeping', async () => {
    await begin()
    const quit = taskFinished.connect(() => trace.getTracer('app').startSpan('told').end())
    await works.enqueue()
    await runUntilEmpty()
    quit()

    expect(one('told').parentSpanContext).toBeUndefined()
  })

  it('ends the span of a run that a forced stop of its worker leaves', async () => {
    during = () => new Promise(() => {})
    await begin()
    const { id } = await works.enqueue()
    const worker = await startWorker()
    await until(async () => (await rows().findOneByOrFail({ id })).status === 'RUNNING')
    await worker.stop({ force: true })

    expect(one('process default').attributes['typeorm_tasks.outcome']).toBe('released')
    expect((await rows().findOneByOrFail({ id })).status).toBe('READY')
  })

  it('follows a task of the Immediate backend the same way', async () => {
    await begin()
    await shaky.using({ backend: 'immediate' }).enqueue('x')

    const [send, process] = [one('send default'), one('process default')]
    expect(idsOf(process).traceId).not.toBe(idsOf(send).traceId)
    expect(linksOf(process)).toEqual([idsOf(send).spanId])
    expect(process.attributes['typeorm_tasks.outcome']).toBe('failed')
  })

  it('makes no span of a task of the Immediate backend whose caller has suppressed tracing', async () => {
    await begin()
    // As suppressTracing of @opentelemetry/core does.
    const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')
    const result = await context.with(context.active().setValue(suppressed, true), () =>
      works.using({ backend: 'immediate' }).enqueue(),
    )

    expect(result.status).toBe('SUCCESSFUL')
    expect(spans.getFinishedSpans()).toEqual([])
  })

  it.each(['onStart', 'onEnd'] as const)(
    'enqueues and runs whatever a span processor throws in %s',
    async (moment) => {
      await begin()
      const lines = catchLog()
      faulty = moment
      const result = await welcome.enqueue(1)
      await runUntilEmpty({ queues: '*' })
      faulty = undefined

      expect((await result.refresh()).status).toBe('SUCCESSFUL')
      expect(await rows().count()).toBe(1)
      expect(lines).toContainEqual([
        'error',
        expect.stringMatching(/^The tracer failed: .*of the processor/),
      ])
    },
  )

  it('tells that an enqueue failed by the class of its error, without its message', async () => {
    await begin()
    await works.using({ backend: 'same' }).enqueue()
    spans.reset()
    await expect(works.using({ backend: 'same' }).enqueue()).rejects.toThrow()

    expect(one('send default')).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { 'error.type': 'AlreadyEnqueuedError' },
    })
    expect(one('send default').status.message).toBeUndefined()
  })

  it('runs rows with a foreign trace: one that is sound is linked to, another one ignored', async () => {
    await begin()
    const traceId = 'c'.repeat(32)
    const foreign = [
      { traceparent: `01-${traceId}-${'d'.repeat(16)}-00-more`, tracestate: 'vendor=1' },
      { traceparent: `00-${'0'.repeat(32)}-${'d'.repeat(16)}-01` },
      { traceparent: "'; DROP TABLE", tracestate: 5 },
    ]
    for (const each of foreign) {
      const { id } = await works.enqueue()
      await rows().update({ id }, { options: { trace: each } as never })
    }
    await runUntilEmpty()

    const links = named('process default').map((span) =>
      span.links.map((link) => link.context.traceId),
    )
    expect(links.toSorted()).toEqual([[], [], [traceId]])
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(3)
  })

  it('measures enqueues, waiting and runs, by the conventions, and adds up what two workers do', async () => {
    await begin()
    await welcome.enqueueMany(Array.from({ length: 40 }, (_, n) => [n] as [number]))
    await shaky.enqueue('x')
    const settings = { queues: '*' as const, concurrency: 2 }
    await Promise.all([runUntilEmpty(settings), runUntilEmpty(settings)])
    const found = await collected()

    const mail = { 'messaging.destination.name': 'mail', 'typeorm_tasks.task': 'otel.welcome' }
    expect(found.valueOf('messaging.client.sent.messages', mail)).toBe(40)
    expect(found.valueOf('messaging.client.consumed.messages', mail)).toBe(40)
    expect(found.valueOf('messaging.process.duration', mail)).toMatchObject({ count: 40 })
    expect(found.valueOf('typeorm_tasks.wait.duration', mail)).toMatchObject({ count: 40 })
    const failed = { 'typeorm_tasks.task': 'otel.shaky', 'error.type': 'RangeError' }
    expect(found.valueOf('messaging.process.duration', failed)).toMatchObject({
      count: 3,
      buckets: {
        boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
      },
    })
    expect(found.valueOf('typeorm_tasks.retries', { 'typeorm_tasks.task': 'otel.shaky' })).toBe(2)
    expect(
      found.valueOf('typeorm_tasks.bookkeeping.duration', { 'typeorm_tasks.verb': 'exchange' }),
    ).toMatchObject({ count: expect.any(Number) })
    expect(found.valueOf('typeorm_tasks.event_loop.delay', {})).toEqual(expect.any(Number))
    expect(found.unitOf('messaging.process.duration')).toBe('s')
  })

  it('measures slots and, where it is asked to, queues', async () => {
    let finish = (): void => {}
    during = () => new Promise<void>((resolve) => (finish = resolve))
    await begin({ queues: true })
    await works.enqueue()
    const worker = await startWorker({ concurrency: 1 })
    await until(async () => (await rows().countBy({ status: 'RUNNING' })) === 1)
    await works.enqueueMany([[], []])
    const found = await collected()
    finish()
    during = () => {}
    await worker.stop()

    expect(found.valueOf('typeorm_tasks.slots.used', {})).toBe(1)
    expect(found.valueOf('typeorm_tasks.slots.limit', {})).toBe(1)
    const queue = { 'messaging.destination.name': 'default', 'typeorm_tasks.backend': 'default' }
    expect(found.valueOf('typeorm_tasks.queue.due', queue)).toBe(2)
    expect(found.valueOf('typeorm_tasks.queue.running', queue)).toBe(1)
    expect(found.valueOf('typeorm_tasks.queue.oldest_due_age', queue)).toBeGreaterThanOrEqual(0)
  })

  it('ends: then neither spans nor metrics are made, and rows have no trace', async () => {
    await begin()
    instrument({ traces: false })()
    spans.reset()
    const { id } = await welcome.enqueue(1)
    await runUntilEmpty({ queues: '*' })

    expect(spans.getFinishedSpans().filter(({ name }) => name !== 'statement')).toEqual([])
    expect((await rows().findOneByOrFail({ id })).options).toBeNull()
    expect((await collected()).names).toEqual([])
  })

  it('leaves a tracer that the app has set later, when it ends', async () => {
    await begin()
    const own: Tracer = {
      send: (_, store) => store(),
      begin: () => ({ context: undefined, within: (work) => work(), end: () => {} }),
      inChild: (_, work) => work(),
      untraced: (work) => work(),
    }
    setTracer(own)
    end()

    expect(setTracer(undefined)).toBe(own)
  })

  async function collected() {
    exporter.reset()
    await reader.forceFlush()
    const all = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      .filter(({ dataPoints }) => dataPoints.length > 0)
    return {
      names: all.map(({ descriptor }) => descriptor.name),
      unitOf: (name: string) =>
        all.find(({ descriptor }) => descriptor.name === name)?.descriptor.unit,
      /** Of the only point that has these attributes. */
      valueOf: (name: string, attributes: object): unknown => {
        const points = all
          .filter(({ descriptor }) => descriptor.name === name)
          .flatMap(({ dataPoints }): { attributes: object; value: unknown }[] => dataPoints)
          .filter((point) =>
            Object.entries(attributes).every(
              ([key, value]) => Reflect.get(point.attributes, key) === value,
            ),
          )
        return points[0]?.value
      },
    }
  }
})

describe('bad input', () => {
  it.each([
    [{ parents: 'link' }, "instrument: unknown option 'parents'.", 'Did you mean "parent"?'],
    [
      { parent: 'root' },
      "instrument, parent: expected 'link' or 'child', got 'root'.",
      'leave it out',
    ],
    [{ traces: 1 }, 'instrument, traces: expected true or false, got 1.', 'leave it out'],
    [
      null,
      'instrument: expected an object of options, got null.',
      'traces, metrics, parent, queues',
    ],
  ])('%j', (options, message, hint) => {
    const call = (): unknown => instrument(options as never)
    expect(call).toThrow(message)
    expect(call).toThrow(expect.objectContaining({ hint: expect.stringContaining(hint) }))
  })
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}
