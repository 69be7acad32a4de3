import { clock } from '../../lib/clock'
import type { Dialect, Part, Prunable } from './dialects/dialect'
import type { Session } from './connections/session'

/** Rows deleted by one statement: few enough that no claim waits for it. */
const CHUNK = 500
/** Rows that one statement looks at: a longer walk would hold an old snapshot, and read what is in nobody's memory at one go. */
const PART = 20_000

export interface Pruning {
  readonly dialect: Dialect
  readonly session: Session
  readonly prunable: Prunable
  /** Runs a statement, patiently. */
  readonly ask: <T>(work: () => Promise<T>) => Promise<T>
  /** Hears the number of rows that each chunk deleted. */
  readonly tell: (deleted: number) => void
}

/**
 * Deletes from the least key to the greatest, a part of the table after the other, each chunk in a statement and so a
 * transaction of its own. After each it rests for as long as that took: to delete at full speed gives a server more to
 * write than its log holds, and then all others wait with it (measured on MariaDB: claims of 1.2 s in place of 0.02).
 */
export async function prune(pruning: Pruning): Promise<void> {
  const { dialect, session, ask } = pruning
  let after: string | null = null
  do {
    const start: string | null = after
    after = await rested(() => ask(() => dialect.furtherOn(session, start, PART)))
    await prunePart(pruning, { after: start, upTo: after })
  } while (after !== null)
}

async function prunePart(pruning: Pruning, { after, upTo }: Part): Promise<void> {
  let last = after
  for (let isMore = true; isMore;) {
    const start = last
    const keys = await rested(() => pruneChunk(pruning, { after: start, upTo }))
    last = keys.at(-1) ?? null
    isMore = keys.length === CHUNK
  }
}

/** Gives the keys of rows it has deleted, unless others did. */
async function pruneChunk(
  { dialect, session, prunable, ask, tell }: Pruning,
  part: Part,
): Promise<string[]> {
  const keys = await ask(() => dialect.prunable(session, prunable, part, CHUNK))
  if (keys.length > 0) tell(await ask(() => dialect.deleteFinished(session, keys)))
  return keys
}

async function rested<T>(work: () => Promise<T>): Promise<T> {
  const started = clock.now()
  const result = await work()
  await clock.sleep(clock.now() - started)
  return result
}
