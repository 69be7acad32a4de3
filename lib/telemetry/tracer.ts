import { onePerProcess } from '../copies/one-per-process'
import { briefly, type ErrorRecord } from '../errors/error-record'
import { log } from '../events/logger'
import type { Order } from '../order'
import type { TaskResult } from '../result'
import type { TraceContext } from '../row/trace'
import type { ClaimedRow } from '../store'

/** A run that begins in a worker of this process. */
export interface TracedRun {
  /** The alias in TASKS. */
  readonly backend: string
  readonly row: ClaimedRow
  /** Which run of the task it is, from 1. */
  readonly attempt: number
  /** As in a `StartedFact`. */
  readonly waitMs: number | null
  /** Where the task was enqueued; null: nobody has written it. */
  readonly enqueued: TraceContext | null
  /** The `traceparent` of its first run that failed; null: this is the first one, or nobody has written it. */
  readonly firstRun: string | null
}

/** How a traced run ended. */
export interface RunEnd {
  /**
   * `retry`: it failed, and another run will follow. `released`: it did not end in the time that a stop of the worker left, and
   * will run again. `lost`: another worker has its row. `not_begun`: the task's code was not called.
   */
  readonly outcome: 'successful' | 'failed' | 'retry' | 'released' | 'lost' | 'not_begun'
  /** As its row records it; null: none. */
  readonly error: ErrorRecord | null
}

/** The trace of one run. */
export interface RunTrace {
  /** The run itself, for its child process and for its later attempts; undefined: it is not traced. */
  readonly context: TraceContext | undefined
  /** Calls `work`, the run, and gives what that gives. */
  within<T>(work: () => T): T
  /** Called once. */
  end(end: RunEnd): void
}

/** What follows tasks through processes. A process has one at most. */
export interface Tracer {
  /**
   * Around the statements that write the rows of one call, as many as there are. `store` must be called; it takes what is written
   * into their rows for the runs to come.
   */
  send(
    orders: readonly Order[],
    store: (trace?: TraceContext) => Promise<readonly TaskResult<unknown>[]>,
  ): Promise<readonly TaskResult<unknown>[]>
  /** A run begins, in the process of its worker, also where the task has a child process of its own. */
  begin(run: TracedRun): RunTrace
  /** Calls `work`, a run in a child process of its own, whose worker has told its `context`. */
  inChild<T>(context: TraceContext, work: () => T): T
  /** Calls `work`, a worker's bookkeeping, of which nothing is traced. */
  untraced<T>(work: () => T): T
}

/** `tracer`: undefined in most apps. A plain property, since it is read for every task. */
export const tracing = onePerProcess('tracing', (): { tracer: Tracer | undefined } => ({
  tracer: undefined,
}))

/** Sets what follows tasks in this process, in the place of the earlier one, which it gives back. Workers that are at work keep theirs for their bookkeeping. */
export function setTracer(tracer: Tracer | undefined): Tracer | undefined {
  const earlier = tracing.tracer
  tracing.tracer = tracer
  return earlier
}

/** Calls a worker's bookkeeping. */
export function untraced<T>(work: () => T): T {
  return tracing.tracer ? tracing.tracer.untraced(work) : work()
}

/** Calls a run in a child process; `context`: what its worker has told of its trace. */
export function inChild<T>(context: TraceContext | undefined, work: () => T): T {
  const { tracer } = tracing
  return tracer && context ? tracer.inChild(context, work) : work()
}

type Stored = readonly TaskResult<unknown>[]

/** Stores orders with their trace. A fault of the tracer changes no task's fate: they are stored once, also without a trace. */
export async function sendTraced(
  tracer: Tracer,
  orders: readonly Order[],
  store: (orders: readonly Order[]) => Promise<Stored>,
): Promise<Stored> {
  let stored: Promise<Stored> | undefined
  const storeOnce = (trace?: TraceContext): Promise<Stored> =>
    (stored ??= store(trace ? orders.map((order) => ({ ...order, trace })) : orders))
  try {
    return await tracer.send(orders, storeOnce)
  } catch (error) {
    // Where they could not be stored, that is the error of the call.
    const results = await storeOnce()
    sayFault(error)
    return results
  }
}

/** A fault of the tracer changes no task's fate. */
export function beginTrace(tracer: Tracer, run: TracedRun): RunTrace | undefined {
  try {
    return tracer.begin(run)
  } catch (error) {
    sayFault(error)
    return undefined
  }
}

export function endTrace(trace: RunTrace, end: RunEnd): void {
  try {
    trace.end(end)
  } catch (error) {
    sayFault(error)
  }
}

function sayFault(error: unknown): void {
  log.error(`The tracer failed: ${briefly(error)}`)
}
