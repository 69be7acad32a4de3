import {
  InvalidBackendError,
  NotSupportedError,
  ResultNotFoundError,
  TasksError,
  UsageError,
} from '../../index'
import type { Refusal } from '../security/access'
import { SAFE_HEADERS } from '../security/guard'

/** An answer of the API. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { ...SAFE_HEADERS, 'Content-Type': 'application/json; charset=utf-8', ...headers },
  })
}

export function refused({ status, message, headers }: Refusal): Response {
  return json(status, { error: { message } }, headers)
}

/** What an error says to the page: of the library's own errors everything, of others nothing, since they may quote values. */
export function failed(error: unknown): Response {
  const status = statusOf(error)
  if (!(error instanceof TasksError))
    return json(status, { error: { message: 'The dashboard failed. Its log tells why.' } })
  const { what: message, hint, code } = error
  return json(status, { error: { message, hint, code } })
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return 400
  if (error instanceof ResultNotFoundError || error instanceof InvalidBackendError) return 404
  return error instanceof NotSupportedError ? 409 : 503
}
