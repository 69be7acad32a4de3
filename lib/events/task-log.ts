import type { ErrorRecord } from '../errors/error-record'
import { workersAfter } from '../errors/history'
import { briefName } from '../errors/suggestions'
import type { TaskBackend } from '../backend'
import { heard, log } from './logger'
import { TaskResult } from '../result'
import { taskFinished } from './signals'
import type { ClaimedRow, Outcome } from '../store'

type Named = Pick<TaskResult<unknown>, 'id' | 'taskName'>

/** Django's line for each state a task enters: `Task id=… path=… state=RUNNING`. */
export function logState(
  { id, taskName }: Named,
  state: 'RUNNING' | 'SUCCESSFUL' | 'FAILED',
  error?: ErrorRecord,
): void {
  const line = (): string => `Task id=${id} path=${briefName(taskName)} state=${state}`
  if (state === 'FAILED') log.error(`${line()} error=${error?.traceback.split('\n')[0] ?? ''}`)
  else if (heard.info) log.info(line())
}

/** A failed run that is to be tried again. */
function logRetry(result: TaskResult<unknown>, delay: number | null): void {
  log.warn(
    `Task id=${result.id} path=${briefName(result.taskName)} state=READY attempt=${result.attempts} retry_in=${delay ?? 0}ms error=${result.errors.at(-1)?.traceback.split('\n')[0] ?? ''}`,
  )
}

export function logEnqueued({
  id,
  taskName,
  backend,
}: Pick<TaskResult<unknown>, 'id' | 'taskName' | 'backend'>): void {
  log.debug(`Task id=${id} path=${briefName(taskName)} enqueued backend=${backend}`)
}

/** The outcome of a run is stored: tells the log, and the listeners of `taskFinished` if it is final. */
export function tellOutcome(backend: TaskBackend, row: ClaimedRow, outcome: Outcome): void {
  const result = (): TaskResult<unknown> =>
    new TaskResult<unknown>(backend, () => ({
      ...row.values,
      status: outcome.status,
      finishedAt: new Date(),
      ...changesOf(outcome, row),
    }))
  if (outcome.status === 'READY') return logRetry(result(), outcome.delay)
  logState(row.values, outcome.status, outcome.status === 'FAILED' ? outcome.error : undefined)
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
