import { clock } from '../../lib/clock'
import type { Dialect, Part, Prunable } from './dialects/dialect'
import { withoutNewestSlots } from './enqueueing/slots'
import { withoutAwaited } from './flows/prunable-members'
import type { Session } from './connections/session'

/** Rows deleted by one statement: few enough that no claim waits for long. */
const CHUNK = 500
/** Rows that one statement looks at: a longer walk would hold an old snapshot, and read too much that is not cached at once. */
const PART = 20_000

export interface Pruning {
  readonly dialect: Dialect
  readonly session: Session
  readonly prunable: Prunable
  readonly hexIds: boolean
  /** Asked before each statement, or pair of them; false ends the prune. */
  readonly mayGoOn: () => Promise<boolean>
  /** Runs a statement, and repeats it while others are in its way. */
  readonly ask: <T>(work: () => Promise<T>) => Promise<T>
  /** Called with the number of rows that each chunk deleted. */
  readonly onDeleted: (deleted: number) => void
}

/**
 * Deletes from the least key to the greatest, one part of the table after the other, each chunk in a statement and so a
 * transaction of its own. After each statement it pauses for as long as that took: deleting at full speed makes a server
 * write more than its log holds, and then everything else waits too (measured on MariaDB: claims of 1.2 s instead of 0.02).
 */
export async function prune(pruning: Pruning): Promise<void> {
  const { dialect, session, ask, mayGoOn } = pruning
  let after: string | null = null
  do {
    if (!(await mayGoOn())) return
    const start: string | null = after
    after = await withPause(() => ask(() => dialect.furtherOn(session, start, PART)))
    if (!(await prunePart(pruning, { after: start, upTo: after }))) return
  } while (after !== null)
}

/** Resolves to false if it may not go on. */
async function prunePart(pruning: Pruning, { after, upTo }: Part): Promise<boolean> {
  let last = after
  for (let isMore = true; isMore;) {
    if (!(await pruning.mayGoOn())) return false
    const start = last
    const keys = await withPause(() => pruneChunk(pruning, { after: start, upTo }))
    last = keys.at(-1) ?? null
    isMore = keys.length === CHUNK
  }
  return true
}

/** Returns the keys of the rows that were to be deleted. */
async function pruneChunk(
  { dialect, session, prunable, ask, onDeleted, hexIds }: Pruning,
  part: Part,
): Promise<string[]> {
  const keys = await ask(() => dialect.prunable(session, prunable, part, CHUNK))
  if (keys.length === 0) return keys
  const unawaited = await ask(() => withoutAwaited(dialect.flowRows(session), keys, hexIds))
  const free = await ask(() => withoutNewestSlots(session.manager, unawaited))
  if (free.length > 0) onDeleted(await ask(() => dialect.deleteFinished(session, free)))
  return keys
}

async function withPause<T>(work: () => Promise<T>): Promise<T> {
  const started = clock.now()
  const result = await work()
  await clock.sleep(clock.now() - started)
  return result
}
