import { type ErrorRecord, headline } from '../../../lib/errors/error-record'

/** An error as a job has it: BullMQ's two fields, which its dashboards show, and ours. */
export function failureOf(record: ErrorRecord): {
  readonly failedReason: string
  readonly stacktrace: string
  readonly error: string
} {
  const { exceptionClassPath, traceback } = record
  return {
    failedReason: headline(record) ?? exceptionClassPath,
    stacktrace: JSON.stringify([traceback]),
    error: JSON.stringify({ exceptionClassPath, traceback }),
  }
}
