import type { ListQuery, TaskBackend } from '../../lib/backend'
import { ResultNotFoundError } from '../../lib/errors/errors'
import type { TaskResult } from '../../lib/result'

type Result = TaskResult<unknown>

/** Results of a call of `list`, where a shard has to be paged through. */
const PAGE = 200

/** Lists that are each in order as one, without those that are in two. */
export function newestFirst(lists: readonly (readonly Result[])[], limit: number): Result[] {
  const left = lists.map((list) => [...list].toReversed())
  const merged = new Map<string, Result>()
  while (merged.size < limit) {
    const [first, ...others] = left.filter((list) => list.length > 0)
    if (!first) break
    const newest = others.reduce((a, b) => (isNewer(b.at(-1), a.at(-1)) ? b : a), first)
    const result = newest.pop()
    if (result && !merged.has(result.id)) merged.set(result.id, result)
  }
  return [...merged.values()]
}

/**
 * What a shard lists that is older than `before`, which may be on another one. Ids in the order of time can be compared
 * anywhere; a backend that must know the id is paged through from its newest result on.
 */
export async function listOlder(
  shard: TaskBackend,
  query: ListQuery,
  find: (id: string) => Promise<Result>,
): Promise<Result[]> {
  const { before, ...whole } = query
  try {
    return await shard.list(query)
  } catch (error) {
    if (before === undefined || !(error instanceof ResultNotFoundError)) throw error
  }
  const border = await find(before)
  const older: Result[] = []
  for (let last: Result | undefined; older.length < query.limit;) {
    const from = last ? { before: last.id } : {}
    const page = await shard.list({ ...whole, ...from, limit: PAGE })
    older.push(...page.filter((result) => isNewer(border, result)))
    last = page.at(-1)
    if (page.length < PAGE) break
  }
  return older.slice(0, query.limit)
}

/** Times of two servers may differ, and ids of version 7 are given by the program that enqueues. */
function isNewer(a: Result | undefined, b: Result | undefined): boolean {
  if (!a || !b) return a !== undefined
  if (isInTimeOrder(a) && isInTimeOrder(b)) return a.id > b.id
  const [first, second] = [a.enqueuedAt?.getTime() ?? 0, b.enqueuedAt?.getTime() ?? 0]
  return first === second ? a.id > b.id : first > second
}

function isInTimeOrder({ id }: Result): boolean {
  return id.length === 36 && id[14] === '7'
}
