import { tooLarge } from '../../connections/database-errors'
import type { NewRows } from '../../new-row'

/** The most JSON of one insert, in characters, where the server does not take less. */
const MAX_STATEMENT = 2 * 1024 * 1024
/** Bytes of a statement beside the arguments. */
const FRAME = 16 * 1024
/** The driver escapes each by a backslash. */
// oxlint-disable-next-line no-control-regex -- control characters are what it escapes
const ESCAPED = /[\0\b\t\n\r\x1a"'\\]/g

/** What `chunked` counts as two characters, such as a quote in JSON, may be four bytes once the driver has escaped it. */
export function maxStatementOf(packet = Number.POSITIVE_INFINITY): number {
  return Math.min(MAX_STATEMENT, Math.max(1, Math.floor((packet - FRAME) / 2)))
}

/**
 * A server that is sent a packet that is too large closes the connection, and the next user of the pool meets it closed.
 *
 * @throws DatabaseError if the arguments of a single row are so large.
 */
export function assertFits(
  { shared, calls }: NewRows,
  asBatch: boolean,
  packet = Number.POSITIVE_INFINITY,
): void {
  const args = calls[0]?.args_kwargs ?? ''
  // No text grows more than fourfold.
  if (calls.length !== 1 || 4 * args.length + FRAME <= packet) return
  const text = asBatch ? JSON.stringify(args) : args
  const bytes = Buffer.byteLength(text) + (text.match(ESCAPED)?.length ?? 0)
  if (bytes + FRAME > packet)
    throw tooLarge(shared.task_path, `they take ${bytes} bytes of at most ${packet - FRAME}`)
}
