import type { DatabaseBackend } from '../../backends/database'
import type { TaskResult } from '../../index'
import type { ListQuery } from '../../lib/backend'

/** A task that waits for a run. */
export interface Ready {
  readonly result: TaskResult<unknown>
  /** Milliseconds until it is due, less than 0 if it is. */
  readonly wait: number
}

const PAGE_ROWS = 5_000

/** All rows that there are, the newest first, however many. */
export async function listed(
  backend: DatabaseBackend,
  query: Omit<ListQuery, 'limit' | 'before'>,
): Promise<TaskResult<unknown>[]> {
  const found: TaskResult<unknown>[] = []
  for (;;) {
    const before = found.at(-1)?.id
    const page = await backend.list({ ...query, limit: PAGE_ROWS, before })
    for (const result of page) found.push(result)
    if (page.length < PAGE_ROWS) return found
  }
}

/** Those that wait for others of their flow are not among them. */
export async function readyOf(
  all: readonly DatabaseBackend[],
  queues: readonly string[] | null,
): Promise<Ready[]> {
  const found: Ready[] = []
  for (const backend of all) {
    const now = (await backend.now()).getTime()
    for (const result of await listed(backend, { status: 'READY', queues })) {
      const wait = result.runAfter ? result.runAfter.getTime() - now : -1
      if (!result.isWaiting) found.push({ result, wait })
    }
  }
  return found
}

export function untilNext(ready: readonly Ready[]): number | undefined {
  if (ready.length === 0) return undefined
  return ready.reduce((least, { wait }) => Math.min(least, wait), Number.POSITIVE_INFINITY)
}
