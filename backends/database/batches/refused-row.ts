import { cut } from '../../../lib/errors/error-record'
import type { TasksError } from '../../../lib/errors/errors'
import { messageOf } from '../connections/database-errors'
import type { FinishRow, HeldRow } from '../row'

const MAX_REASON = 1_000

/** FAILED in place of an outcome that a database refuses: nothing in it that any database could refuse. */
export function refusedRow({ row_key, claims }: HeldRow, { name, message }: TasksError): FinishRow {
  return {
    row_key,
    claims,
    status: 'FAILED',
    return_value: null,
    exception_class_path: `typeorm_tasks.${name}`,
    traceback: `${name}: ${message}\n`,
    progress: null,
    attempt_errors: null,
    delay: null,
  }
}

/** What a database said, in printable ASCII. */
export function reasonOf(error: unknown): string {
  return cut(messageOf(error).replaceAll(/[^\x20-\x7E]+/g, '?'), MAX_REASON)
}
