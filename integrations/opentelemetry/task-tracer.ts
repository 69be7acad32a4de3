import {
  type Attributes,
  context,
  createContextKey,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer as Spans,
} from '@opentelemetry/api'
import type {
  Order,
  RunEnd,
  RunTrace,
  TaskResult,
  TraceContext,
  TracedRun,
  Tracer,
} from '../../index'
import { spanContextOf, writtenOf } from './context'
import {
  ATTEMPT,
  BATCH_COUNT,
  DESTINATION,
  ERROR_TYPE,
  EXCEPTION,
  EXCEPTION_STACK,
  EXCEPTION_TYPE,
  LATENESS_MS,
  MESSAGE_ID,
  OPERATION,
  OPERATION_TYPE,
  OUTCOME,
  SYSTEM,
  SYSTEM_NAME,
  TASK,
} from './names'

/** The key of `suppressTracing` in @opentelemetry/core, which apps need not install: of one text there is one key. */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

type Stored = readonly TaskResult<unknown>[]

const UNTRACED: RunTrace = { context: undefined, within: (work) => work(), end: () => {} }

/** Follows tasks by spans: one for each call that enqueues, one for each run. */
export class TaskTracer implements Tracer {
  readonly #spans: Spans
  readonly #parent: 'link' | 'child'
  readonly #isMute: () => boolean

  /** `isMute`: asked at each span; while it is so nobody would get it. */
  constructor(spans: Spans, parent: 'link' | 'child', isMute: () => boolean) {
    this.#spans = spans
    this.#parent = parent
    this.#isMute = isMute
  }

  async send(
    orders: readonly Order[],
    store: (trace?: TraceContext) => Promise<Stored>,
  ): Promise<Stored> {
    if (this.#isMute()) return store()
    const queue = common(orders.map(({ task }) => task.queueName))
    const span = this.#spans.startSpan(nameOf('send', queue), {
      kind: SpanKind.PRODUCER,
      attributes: sendAttributes(orders, queue),
    })
    try {
      const within = trace.setSpan(context.active(), span)
      const results = await context.with(within, () => store(writtenOf(span)))
      const [first] = results
      if (first && orders.length === 1) span.setAttribute(MESSAGE_ID, first.id)
      return results
    } catch (error) {
      // Not its message, which may hold what was to be stored.
      span.setAttribute(ERROR_TYPE, error instanceof Error ? error.name : 'Error')
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  }

  begin(run: TracedRun): RunTrace {
    // A worker begins its runs in a fresh context: only the caller of a task that runs in place can have suppressed tracing.
    if (this.#isMute() || isSuppressed()) return UNTRACED
    const enqueued = spanContextOf(run.enqueued)
    const firstRun = spanContextOf(run.firstRun === null ? null : { traceparent: run.firstRun })
    const isChild = this.#parent === 'child' && enqueued !== undefined
    const links = [isChild ? undefined : enqueued, firstRun].flatMap((linked): Link[] =>
      linked ? [{ context: linked }] : [],
    )
    const { queueName } = run.row.values
    const span = this.#spans.startSpan(
      nameOf('process', queueName),
      { kind: SpanKind.CONSUMER, links, attributes: runAttributes(run), root: !isChild },
      isChild ? trace.setSpanContext(ROOT_CONTEXT, enqueued) : ROOT_CONTEXT,
    )
    return {
      context: writtenOf(span),
      within: (work) => context.with(trace.setSpan(context.active(), span), work),
      end: (end) => endSpan(span, end),
    }
  }

  inChild<T>(written: TraceContext, work: () => T): T {
    const parent = spanContextOf(written)
    return parent ? context.with(trace.setSpanContext(context.active(), parent), work) : work()
  }

  untraced<T>(work: () => T): T {
    return context.with(context.active().setValue(SUPPRESSED, true), work)
  }
}

function isSuppressed(): boolean {
  return context.active().getValue(SUPPRESSED) === true
}

/** `process mail`; where several queues are sent to, `send` alone. */
function nameOf(operation: 'send' | 'process', queue: string | undefined): string {
  return queue === undefined ? operation : `${operation} ${queue}`
}

function sendAttributes(orders: readonly Order[], queue: string | undefined): Attributes {
  const task = common(orders.map((order) => order.task.name))
  return {
    ...operation('send'),
    ...(queue !== undefined && { [DESTINATION]: queue }),
    ...(task !== undefined && { [TASK]: task }),
    ...(orders.length > 1 && { [BATCH_COUNT]: orders.length }),
  }
}

function runAttributes({ row: { values }, attempt, waitMs }: TracedRun): Attributes {
  return {
    ...operation('process'),
    [DESTINATION]: values.queueName,
    [MESSAGE_ID]: values.id,
    [TASK]: values.taskName,
    [ATTEMPT]: attempt,
    ...(waitMs !== null && { [LATENESS_MS]: Math.round(waitMs) }),
  }
}

function operation(name: 'send' | 'process'): Attributes {
  return { [SYSTEM]: SYSTEM_NAME, [OPERATION]: name, [OPERATION_TYPE]: name }
}

function endSpan(span: Span, { outcome, error }: RunEnd): void {
  span.setAttribute(OUTCOME, outcome)
  if (error) {
    const { exceptionClassPath, traceback } = error
    span.setAttribute(ERROR_TYPE, exceptionClassPath)
    span.addEvent(EXCEPTION, {
      [EXCEPTION_TYPE]: exceptionClassPath,
      [EXCEPTION_STACK]: traceback,
    })
    span.setStatus({ code: SpanStatusCode.ERROR, message: traceback.split('\n')[0] ?? '' })
  }
  span.end()
}

/** The value of all; undefined if they differ. */
function common(values: readonly string[]): string | undefined {
  const [first] = values
  return values.every((value) => value === first) ? first : undefined
}
