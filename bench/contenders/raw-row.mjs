// The row that the bare drivers write: the library's own, with no more in it than a task needs.
import { randomBytes } from 'node:crypto'

export const NAMES =
  'id, status, enqueued_at, args_kwargs, priority, task_path, worker_ids, queue_name, backend_name, run_after, exception_class_path, traceback'

/** An id that begins with the time. */
export function timedId() {
  const hex = randomBytes(10).toString('hex')
  return `${Date.now().toString(16).padStart(12, '0')}7${hex.slice(1, 4)}8${hex.slice(5, 20)}`
}

export function argsKwargs(payload) {
  return JSON.stringify({ args: [payload], kwargs: {} })
}
