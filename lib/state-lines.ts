import { log } from './log'
import type { TaskResult } from './result'

/** Django's line for each state a task enters: `Task id=… path=… state=RUNNING`. */
export function logState(result: TaskResult<unknown>, state: 'RUNNING' | 'SUCCESSFUL' | 'FAILED'): void {
  const line = `Task id=${result.id} path=${result.taskName} state=${state}`
  if (state === 'FAILED') log.error(`${line} error=${result.errors.at(-1)?.traceback.split('\n')[0] ?? ''}`)
  else log.info(line)
}

export function logEnqueued(result: TaskResult<unknown>): void {
  log.debug(`Task id=${result.id} path=${result.taskName} enqueued backend=${result.backend}`)
}
