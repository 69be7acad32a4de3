import type { TaskBackend } from '../../backend'
import { Stopwatch } from '../../clock'
import type { ErrorRecord } from '../../errors/error-record'
import { withTrace } from '../../errors/history'
import { heard } from '../../events/logger'
import { taskFinished, taskStarted } from '../../events/signals'
import { logState, tellOutcome } from '../../events/task-log'
import { inFreshContext } from '../../execution/run-context'
import { TaskResult } from '../../result'
import type { TraceContext } from '../../row/trace'
import type { ClaimedRow, Outcome } from '../../store'
import { taskFacts } from '../../telemetry/facts'
import { began, ended, lost } from '../../telemetry/runs'
import { endTrace, type RunEnd, type RunTrace, tracing } from '../../telemetry/tracer'

/** What others see of a run: the log, listeners, metrics and its trace. */
export class RunWatch {
  readonly #stopwatch = heard.details || taskFacts.isHeard ? new Stopwatch() : undefined
  #trace: RunTrace | undefined
  #hasEnded = false

  /** Of the run itself; undefined: it is not traced. */
  get context(): TraceContext | undefined {
    return this.#trace?.context
  }

  /** Begins the run, `work`, of a row that was claimed before `waitedMs`. */
  begin<T>(backend: TaskBackend, row: ClaimedRow, waitedMs: number, work: () => T): T {
    const { values } = row
    this.#stopwatch?.start()
    if (heard.info) logState(values, 'RUNNING')
    if (taskStarted.isHeard)
      taskStarted.send({ backend, result: new TaskResult<unknown>(backend, values) })
    this.#trace = began(backend.alias, row, waitedMs)
    return this.#trace ? this.#trace.within(work) : work()
  }

  /** The run is over, whatever will be stored of it. */
  stop(): void {
    this.#stopwatch?.stop()
  }

  /** It is known what comes of the run. */
  end(outcome: RunEnd['outcome'], error: ErrorRecord | null = null): void {
    if (this.#trace && !this.#hasEnded) endTrace(this.#trace, { outcome, error })
    this.#hasEnded = true
  }

  /** As `end`, with what is to be stored, which it gives back: in the history of a task that runs again, its trace is found. */
  endWith(outcome: Outcome): Outcome {
    if (!this.#trace) return outcome
    if (outcome.status === 'SUCCESSFUL') this.end('successful')
    if (outcome.status === 'FAILED') this.end('failed', outcome.error)
    if (outcome.status !== 'READY') return outcome
    this.end('retry', outcome.errors.at(-1))
    const { context } = this
    return context
      ? { ...outcome, errors: withTrace(outcome.errors, context.traceparent) }
      : outcome
  }

  /** The row is another worker's, also where that is only told as the outcome is handed in. */
  lose(backend: TaskBackend, { values }: ClaimedRow): void {
    lost(backend.alias, values)
    this.end('lost')
  }

  /** The outcome is stored. */
  stored(backend: TaskBackend, row: ClaimedRow, outcome: Outcome): void {
    const ms = this.#stopwatch?.ms
    ended(backend.alias, row.values, outcome, ms)
    if (outcome.status === 'SUCCESSFUL' && !heard.info && !taskFinished.isHeard) return
    const tell = (): void => tellOutcome(backend, row, outcome, heard.details ? ms : undefined)
    // What a listener does is no bookkeeping, which is kept out of traces.
    if (tracing.tracer) inFreshContext(tell)
    else tell()
  }
}
