import { createHash } from 'node:crypto'
import type { TaskResult } from '../result'
import { type PublicView, publicView } from './public-view'

/** What is known of the request, and what to add to the answer. */
export interface PublicResponseOptions<More extends object> {
  /** The header If-None-Match of the request. */
  readonly ifNoneMatch?: string | undefined
  /** Properties for the body beside those of the view, such as `{ ahead: await tasksAhead(result) }`. */
  readonly more?: More | undefined
}

/** An answer for any web framework. */
export interface PublicResponse<Body> {
  /** 304: the browser has this state already. */
  readonly status: 200 | 304
  /** `ETag`, `Cache-Control`, and `Retry-After` (in seconds) until the task has finished. */
  readonly headers: Readonly<Record<string, string>>
  /** To be sent as JSON; null with 304. */
  readonly body: Body | null
}

/** Seconds, the unit of Retry-After. */
const RETRY_AFTER = '1'

/**
 * The answer to a page that polls a task: `publicView` as the body, an `ETag` of it, and `Retry-After: 1` until the task has
 * finished. If the request names that ETag in If-None-Match, the answer is 304 without a body.
 */
export function publicResponse<Return, More extends object = object>(
  result: TaskResult<Return>,
  { ifNoneMatch, more }: PublicResponseOptions<More> = {},
): PublicResponse<PublicView<Return> & Partial<More>> {
  const added: Partial<More> = more ?? {}
  const body = { ...added, ...publicView(result) }
  const tag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 22)}"`
  const isKnown = ifNoneMatch !== undefined && tagsIn(ifNoneMatch).includes(tag)
  const headers = {
    ETag: tag,
    // A browser may keep it, but asks each time whether it still holds.
    'Cache-Control': 'private, no-cache',
    ...(!result.isFinished && { 'Retry-After': RETRY_AFTER }),
  }
  return isKnown ? { status: 304, headers, body: null } : { status: 200, headers, body }
}

/** A proxy that compresses an answer makes its tag a weak one. */
function tagsIn(ifNoneMatch: string): string[] {
  return ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
}
