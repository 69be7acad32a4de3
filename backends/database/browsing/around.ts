import type { FlowAround } from '../../../lib/browser'
import { MOST_COUNTED } from '../../../lib/browser'
import type { SetLinks } from '../../../lib/row/flow-parts'
import { WHENS } from '../../../lib/row/flow-parts'
import type { TaskResult } from '../../../lib/result'
import { wholeOptions } from '../../keys'
import type { KeyRange } from '../dialects/flow-verbs'
import { partOf, wholeOf } from '../flows/settling'
import type { Sight } from './sight'

/** Tasks of a set that are shown. */
const MOST_SHOWN = 200

interface Members {
  readonly tasks: readonly TaskResult<unknown>[]
  readonly count: number
}

const NOBODY: Members = { tasks: [], count: 0 }

/** The tasks before, beside and after one; null: there is no such task, or it is in no flow. */
export async function flowAround(sight: Sight, key: string): Promise<FlowAround | null> {
  const [row] = await sight.told([key])
  if (!row) return null
  const { member, awaits } = partOf(wholeOptions(row.options, row.unique_key ?? null))
  if (!member && !awaits) return null
  const before = awaits ? await membersOf(sight, awaits.set) : NOBODY
  const all = member ? await membersOf(sight, member.set, key) : NOBODY
  return {
    before: before.tasks,
    beforeCount: before.count,
    beside: all.tasks,
    besideCount: Math.max(0, all.count - 1),
    after: member ? await sight.results(followersOf(sight, member)) : [],
  }
}

function followersOf(sight: Sight, links: SetLinks): string[] {
  const ids = WHENS.flatMap((when) => links[when] ?? [])
  return [...new Set(ids.map(sight.keyOf))].slice(0, MOST_SHOWN)
}

/** The first members of a set, in their order, and how many there are, up to the greatest count. */
async function membersOf(sight: Sight, set: string, without?: string): Promise<Members> {
  const { asking, exactly, path, words } = sight
  const { from, upTo }: KeyRange = wholeOf(set)
  const values = { from, upTo, like: `g${set}%` }
  // The pattern is exact, whatever the column's collation takes to be in the range.
  const ofSet = `t.unique_key >= :from AND t.unique_key <= :upTo AND ${exactly('t.unique_key')} LIKE :like`
  const keys = await asking.rows<{ row_key: string }>(
    `SELECT ${words.key('t.id')} AS row_key FROM ${path} t WHERE ${ofSet} ORDER BY t.unique_key LIMIT ${MOST_SHOWN + 1}`,
    values,
  )
  const shown = keys.map(({ row_key }) => row_key).filter((key) => key !== without)
  const tasks = await sight.results(shown.slice(0, MOST_SHOWN))
  if (keys.length <= MOST_SHOWN) return { tasks, count: keys.length }
  const [counted] = await asking.rows<{ n: number | string }>(
    `SELECT COUNT(*) AS n FROM (SELECT t.id FROM ${path} t WHERE ${ofSet} LIMIT ${MOST_COUNTED}) m`,
    values,
  )
  return { tasks, count: Number(counted?.n ?? keys.length) }
}
