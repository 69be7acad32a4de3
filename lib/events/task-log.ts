import type { ErrorRecord } from '../errors/error-record'
import { log } from './logger'
import type { TaskResult } from '../result'

type Named = Pick<TaskResult<unknown>, 'id' | 'taskName'>

/** Django's line for each state a task enters: `Task id=… path=… state=RUNNING`. */
export function logState(
  { id, taskName }: Named,
  state: 'RUNNING' | 'SUCCESSFUL' | 'FAILED',
  error?: ErrorRecord,
): void {
  const line = `Task id=${id} path=${taskName} state=${state}`
  if (state === 'FAILED') log.error(`${line} error=${error?.traceback.split('\n')[0] ?? ''}`)
  else log.info(line)
}

/** A failed run that is to be tried again. */
export function logRetry(result: TaskResult<unknown>, delay: number | null): void {
  log.warn(
    `Task id=${result.id} path=${result.taskName} state=READY attempt=${result.attempts} retry_in=${delay ?? 0}ms error=${result.errors.at(-1)?.traceback.split('\n')[0] ?? ''}`,
  )
}

export function logEnqueued({
  id,
  taskName,
  backend,
}: Pick<TaskResult<unknown>, 'id' | 'taskName' | 'backend'>): void {
  log.debug(`Task id=${id} path=${taskName} enqueued backend=${backend}`)
}
