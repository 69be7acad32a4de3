import { literalBytes } from '../../connections/literals'
import { tooLarge } from '../../connections/database-errors'
import type { NewRows } from '../../row'

/** The most JSON of one insert, in characters, where the server does not take less. */
const MAX_STATEMENT = 2 * 1024 * 1024
/** Bytes of a statement beside the arguments. */
const FRAME = 16 * 1024
/** A character of three bytes takes six hex digits, and no character takes more. */
const MOST_GROWTH = 6

/** `chunked` counts a character as two. */
export function maxStatementOf(packet = Number.POSITIVE_INFINITY): number {
  const characters = Math.floor((packet - FRAME) / MOST_GROWTH)
  return Math.min(MAX_STATEMENT, Math.max(1, 2 * characters))
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
  if (calls.length !== 1 || MOST_GROWTH * args.length + FRAME <= packet) return
  const bytes = literalBytes(asBatch ? JSON.stringify(args) : args)
  if (bytes + FRAME > packet)
    throw tooLarge(shared.task_path, `they take ${bytes} bytes of at most ${packet - FRAME}`)
}
