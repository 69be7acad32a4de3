// Checked by the compiler alone: what telemetry is asked for, and what facts tell.
import {
  type RunTrace,
  setTracer,
  type TaskFact,
  taskFacts,
  type TraceContext,
  type Tracer,
} from 'typeorm-tasks'
import { instrument } from 'typeorm-tasks/opentelemetry'

export const end: () => void = instrument({ traces: true, metrics: false, parent: 'child' })
export const plain: () => void = instrument()

// @ts-expect-error there are two kinds of parents
instrument({ parent: 'root' })

/** Of each fact only what it tells can be read. */
export function textOf(fact: TaskFact): string {
  if (fact.what === 'ended') return `${fact.task} ${fact.outcome} ${fact.runMs ?? 0}`
  if (fact.what === 'rescued') return String(fact.requeued + fact.failed)
  // @ts-expect-error a fact of bookkeeping is of no task
  return fact.task
}

export const deafen: () => void = taskFacts.connect((fact) => void textOf(fact))
export const running: number[] = [...taskFacts.workers].map((worker) => worker.running)

const context: TraceContext = { traceparent: '00-…' }
export const trace: RunTrace = { context, within: (work) => work(), end: () => {} }
export const tracer: Tracer = {
  send: (orders, store) => store(orders.length > 0 ? context : undefined),
  begin: () => trace,
  inChild: (_, work) => work(),
  untraced: (work) => work(),
}
export const earlier: Tracer | undefined = setTracer(tracer)
