import { endsByCrash, omittedOf } from '../errors/history'
import type { ResultValues } from '../row/record'
import { isTraceparent, traceOf } from '../row/trace'
import { dueMs } from '../row/wait'
import type { ClaimedRow, Outcome } from '../store'
import { type FactOfTask, taskFacts } from './facts'
import { beginTrace, type RunTrace, tracing } from './tracer'

const OUTCOMES = { SUCCESSFUL: 'successful', FAILED: 'failed', READY: 'retry' } as const

/** A run begins, `waitedMs` after its row was claimed: tells who wants to know. */
export function began(backend: string, row: ClaimedRow, waitedMs: number): RunTrace | undefined {
  const { tracer } = tracing
  if (!tracer && !taskFacts.isHeard) return undefined
  const { values, options } = row
  const { errors, workerIds } = values
  const attempt = workerIds.length + omittedOf(errors).workers
  const waitMs = waitOf(values, waitedMs)
  if (taskFacts.isHeard)
    taskFacts.send({ what: 'started', ...taskOf(backend, values), attempt, waitMs })
  const firstRun = errors.find(({ trace }) => isTraceparent(trace))?.trace ?? null
  const enqueued = traceOf(options)
  return tracer && beginTrace(tracer, { backend, row, attempt, waitMs, enqueued, firstRun })
}

/** The outcome of a run is stored, which took `ms`. */
export function ended(
  backend: string,
  values: ResultValues,
  outcome: Outcome,
  ms: number | undefined,
): void {
  if (!taskFacts.isHeard) return
  taskFacts.send({
    what: 'ended',
    ...taskOf(backend, values),
    outcome: OUTCOMES[outcome.status],
    error: errorOf(outcome),
    runMs: ms ?? null,
  })
}

/** The row of a run is another worker's. */
export function lost(backend: string, values: ResultValues): void {
  if (taskFacts.isHeard) taskFacts.send({ what: 'lost', ...taskOf(backend, values) })
}

function taskOf(backend: string, { queueName, taskName }: ResultValues): FactOfTask {
  return { backend, queue: queueName, task: taskName }
}

/** After a lost worker, or a retry by hand, the row says since when it is due only where it was so before. */
function waitOf(values: ResultValues, waitedMs: number): number | null {
  const { errors } = values
  const due = endsByCrash(errors) || errors.at(-1)?.retried ? null : dueMs(values)
  return due === null ? null : Math.max(0, due + waitedMs)
}

function errorOf(outcome: Outcome): string | null {
  if (outcome.status === 'SUCCESSFUL') return null
  const error = outcome.status === 'FAILED' ? outcome.error : outcome.errors.at(-1)
  return error?.exceptionClassPath ?? null
}
