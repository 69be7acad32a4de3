import {
  DatabaseError,
  DatabaseUnreachableError,
  InvalidBackendError,
  InvalidTaskError,
  MalformedRowError,
  NotSerializableError,
  NotSupportedError,
  ResultMismatchError,
  ResultNotFoundError,
  TasksError,
  UsageError,
} from '../../index'
import { OVER } from '../../lib/clock'
import { type Refusal, Refused } from '../security/access'
import { SAFE_HEADERS } from '../security/guard'
import type { Problem } from './wire'

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

/**
 * An answer that is made while it is read, text by text: nothing is made before somebody reads it. `make` is given a signal
 * that aborts when nobody reads it any more, or the page is closed.
 */
export function streamed(
  type: string,
  closed: AbortSignal,
  make: (gone: AbortSignal) => AsyncGenerator<string, void>,
): Response {
  const gone = new AbortController()
  const end = (): void => gone.abort(OVER)
  if (closed.aborted) end()
  closed.addEventListener('abort', end)
  const texts = make(gone.signal)
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await texts.next()
        if (!done) return controller.enqueue(encoder.encode(value))
        closed.removeEventListener('abort', end)
        controller.close()
      },
      cancel: async () => {
        closed.removeEventListener('abort', end)
        end()
        await texts.return()
      },
    },
    { highWaterMark: 0 },
  )
  // Proxies that collect an answer before they pass it on are told not to.
  const headers = { ...SAFE_HEADERS, 'Content-Type': type, 'X-Accel-Buffering': 'no' }
  return new Response(body, { headers })
}

export function refused({ status, message, headers }: Refusal): Response {
  return json(status, { error: { message } }, headers)
}

export function failed(error: unknown): Response {
  if (error instanceof Refused) return refused(error.refusal)
  return json(statusOf(error), { error: problemOf(error) })
}

/** Whether all of an error may be told to who asks; others may quote what is in a row. */
export function isTold(error: unknown): error is TasksError {
  if (error instanceof DatabaseError) return error instanceof DatabaseUnreachableError
  return error instanceof TasksError && !QUOTING.some((Quoting) => error instanceof Quoting)
}

const QUOTING = [InvalidTaskError, MalformedRowError, NotSerializableError, ResultMismatchError]

/** What an error says to the page. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return { message: error.refusal.message }
  if (!isTold(error)) return { message: 'The dashboard failed. Its log tells why.' }
  const { what: message, hint, code } = error
  return { message, hint, code }
}

export function statusOf(error: unknown): number {
  if (error instanceof Refused) return error.refusal.status
  if (error instanceof UsageError) return 400
  if (error instanceof ResultNotFoundError || error instanceof InvalidBackendError) return 404
  return error instanceof NotSupportedError ? 409 : 503
}
