import { clock } from '../../../lib/clock'
import { MalformedRowError } from '../../../lib/errors/errors'
import { log } from '../../../lib/events/logger'
import { isTooSlow } from '../connections/database-errors'
import type { Released } from '../dialects/dialect'
import type { FinishRow, HeldRow } from '../row'
import { reasonOf, refusedRow } from './refused-row'
import { halving } from './portions'

/** Time in ms in which giving back is tried again for rows that are locked, or took too long; then their leases end by themselves. */
const RELEASE_MS = 5_000
const LOCKED_PAUSE_MS = 100

/** Gives rows back. Returns their number. One that is locked, or that the database refuses, does not keep the others. */
export async function giveBack(
  rows: readonly HeldRow[],
  release: (part: readonly HeldRow[]) => Promise<Released>,
): Promise<number> {
  const deadline = clock.now() + RELEASE_MS
  let count = 0
  for (let left = rows; left.length > 0;) {
    /** Those that are locked, or for which the database had no time. */
    const later = new Set<string>()
    await halving(
      left,
      async (part) => {
        const answer = await release(part)
        count += answer.released
        for (const key of answer.locked) later.add(key)
      },
      async ({ row_key: key }, error) => {
        if (isTooSlow(error)) later.add(key)
        else log.error(`The task id=${key} cannot be given back: ${reasonOf(error)}`)
      },
    )
    left = left.filter((row) => later.has(row.row_key))
    if (clock.now() > deadline) break
    if (left.length > 0) await clock.sleep(LOCKED_PAUSE_MS)
  }
  return count
}

/**
 * Stores the outcomes of rows whose workers were lost. Returns the statuses of those that were taken over, by key. One that
 * the database refuses to make READY, since somebody else wrote the row badly, is FAILED.
 */
export async function takeOver(
  rows: readonly FinishRow[],
  take: (part: readonly FinishRow[]) => Promise<ReadonlySet<string>>,
): Promise<ReadonlyMap<string, string>> {
  const taken = new Map<string, string>()
  const work = async (part: readonly FinishRow[]): Promise<void> => {
    const keys = await take(part)
    for (const { row_key: key, status } of part) if (keys.has(key)) taken.set(key, status)
  }
  const leave = async ({ row_key: key }: FinishRow, error: unknown): Promise<void> =>
    log.error(`The task id=${key} cannot be taken over: ${reasonOf(error)}`)
  await halving(rows, work, (row, error) => {
    // That says nothing of the row: the next look tries again.
    if (isTooSlow(error)) return leave(row, error)
    const reason = `it cannot be requeued: ${reasonOf(error)}`
    return halving([refusedRow(row, new MalformedRowError(reason))], work, leave)
  })
  return taken
}
