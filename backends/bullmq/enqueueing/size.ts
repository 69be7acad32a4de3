import { InvalidTaskError } from '../../../lib/errors/errors'

const MIB = 1024 * 1024
/** What Redis takes of one value, unless `proto-max-bulk-len` says otherwise; it cuts a client off that sends more. */
const MOST_BYTES = 512 * MIB
/** The most bytes that a character of JavaScript takes in UTF-8. */
const WIDEST = 3

/** @throws InvalidTaskError for arguments that no Redis takes. */
export function assertFits(data: string, taskName: string): void {
  if (data.length * WIDEST <= MOST_BYTES || Buffer.byteLength(data) <= MOST_BYTES) return
  throw new InvalidTaskError(
    `Task "${taskName}": its arguments are ${Math.ceil(Buffer.byteLength(data) / MIB)} MiB, and Redis takes 512 MiB at most.`,
    'Pass a reference to the data, such as a path or an id.',
  )
}
