import { type ErrorRecord, headline } from '../errors/error-record'
import { omittedOf, workersAfter } from '../errors/history'
import { briefName } from '../errors/suggestions'
import type { TaskBackend } from '../backend'
import { heard, log } from './logger'
import type { ResultValues } from '../row/record'
import { TaskResult } from '../result'
import { taskFinished } from './signals'
import type { ClaimedRow, Outcome } from '../store'

type Named = Pick<ResultValues, 'id' | 'taskName'> & Partial<ResultValues>

/** Django's line for each state a task enters: `Task id=… path=… state=RUNNING`. `ms`: how long the run took. */
export function logState(
  task: Named,
  state: 'RUNNING' | 'SUCCESSFUL' | 'FAILED',
  error?: ErrorRecord,
  ms?: number,
): void {
  const line = (): string =>
    `Task id=${task.id} path=${briefName(task.taskName)} state=${state}${detailsOf(task, ms)}`
  if (state !== 'FAILED') return void (heard.info && log.info(line()))
  log.error(`${line()} error=${headline(error) ?? ''}`)
  logTraceback(error)
}

/** A failed run that is to be tried again. */
function logRetry(result: TaskResult<unknown>, delay: number | null, ms?: number): void {
  const { id, taskName, attempts, queueName, workerIds } = result
  const error = result.errors.at(-1)
  const details = heard.details ? detailsOf({ queueName, workerIds }, ms) : ''
  log.warn(
    `Task id=${id} path=${briefName(taskName)} state=READY attempt=${attempts} retry_in=${delay ?? 0}ms${details} error=${headline(error) ?? ''}`,
  )
  logTraceback(error)
}

/** Empty unless the command line was started with `-v 2`. */
function detailsOf(
  { queueName, workerIds, errors }: Partial<ResultValues>,
  ms: number | undefined,
): string {
  if (!heard.details) return ''
  const attempt = workerIds && errors && workerIds.length + omittedOf(errors).workers
  const known = {
    queue: queueName,
    attempt,
    worker: workerIds?.at(-1),
    duration: ms === undefined ? undefined : `${(ms / 1000).toFixed(3)}s`,
  }
  return Object.entries(known)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${value}`)
    .join('')
}

/** Each line of a stack is a log line: within one line its breaks would be escaped. */
function logTraceback(error: ErrorRecord | undefined): void {
  if (!heard.debug || !error) return
  for (const line of error.traceback.trimEnd().split('\n')) log.debug(`    ${line}`)
}

export function logEnqueued({
  id,
  taskName,
  backend,
}: Pick<TaskResult<unknown>, 'id' | 'taskName' | 'backend'>): void {
  log.debug(`Task id=${id} path=${briefName(taskName)} enqueued backend=${backend}`)
}

/** The outcome of a run, which took `ms`, is stored: tells the log, and the listeners of `taskFinished` if it is final. */
export function tellOutcome(
  backend: TaskBackend,
  row: ClaimedRow,
  outcome: Outcome,
  ms?: number,
): void {
  const result = (): TaskResult<unknown> =>
    new TaskResult<unknown>(backend, () => ({
      ...row.values,
      status: outcome.status,
      finishedAt: new Date(),
      ...changesOf(outcome, row),
    }))
  if (outcome.status === 'READY') return logRetry(result(), outcome.delay, ms)
  logState(row.values, outcome.status, outcome.status === 'FAILED' ? outcome.error : undefined, ms)
  if (taskFinished.isHeard) taskFinished.send({ backend, result: result() })
}

function changesOf(outcome: Outcome, row: ClaimedRow): object {
  if (outcome.status === 'SUCCESSFUL')
    return {
      returnValue:
        outcome.returnValue === null ? null : (JSON.parse(outcome.returnValue) as unknown),
    }
  if (outcome.status === 'READY')
    return { errors: outcome.errors, workerIds: workersAfter(row.values.workerIds) }
  return { errors: [...row.values.errors, outcome.error] }
}
