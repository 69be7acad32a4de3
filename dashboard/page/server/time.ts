import type { Overview } from '../../api/wire'

/** By how many ms the clock of the server is ahead of the browser's. */
let ahead = 0

/** An answer that was just read says what time it is there. */
export function noteTime(overview: unknown): void {
  const { now } = overview as Overview
  ahead = Date.parse(now) - Date.now()
}

/** Ms since 1970 by the clock of the server. */
export function now(): number {
  return Date.now() + ahead
}
