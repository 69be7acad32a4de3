import type { Values } from '../connections/statement'
import type { Sight } from './sight'

/** A time in ms since 1970, the second one not included. */
export interface Range {
  readonly from: number
  readonly to: number
  /** Only rows behind this id. */
  readonly after?: string | undefined
}

/** The small columns of a row. */
export interface SampleRow {
  readonly row_key: string
  readonly status: string
  readonly enqueued_at: string | null
  readonly run_after: string | null
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly queue_name: string | null
  readonly backend_name: string | null
  /** Whether it is of the task that is asked for. */
  readonly is_wanted: number | string
}

/** Ranges that one statement reads. */
const AT_ONCE = 50
const WORDS = ['status', 'queue_name', 'backend_name'] as const
const INSTANTS = ['enqueued_at', 'run_after', 'started_at', 'finished_at'] as const

/** What is read of each range: the first so many rows. */
export interface Wanted {
  readonly most: number
  readonly taskName: string | undefined
}

/** The first rows of each range of time by their ids, in order. */
export async function sampled(
  sight: Sight,
  ranges: readonly Range[],
  wanted: Wanted,
): Promise<SampleRow[][]> {
  const found: SampleRow[][] = ranges.map(() => [])
  for (let at = 0; at < ranges.length; at += AT_ONCE) {
    const { text, values } = look(sight, ranges.slice(at, at + AT_ONCE), wanted)
    for (const row of await sight.asking.rows<SampleRow & { n: number | string }>(text, values))
      found[at + Number(row.n)]?.push(row)
  }
  // A UNION promises no order.
  for (const rows of found) rows.sort((a, b) => (a.row_key < b.row_key ? -1 : 1))
  return found
}

function look(
  sight: Sight,
  ranges: readonly Range[],
  { most, taskName }: Wanted,
): { text: string; values: Values } {
  const { exactly, path, words } = sight
  const columns = [
    `${words.key('t.id')} AS row_key`,
    ...WORDS.map((name) => `t.${name} AS ${name}`),
    ...INSTANTS.map((name) => `${words.instantText(`t.${name}`)} AS ${name}`),
    // A name has any length: MariaDB would make a table on disk of them.
    `${taskName === undefined ? '1' : `CASE WHEN ${exactly('t.task_path')} = :taskName THEN 1 ELSE 0 END`} AS is_wanted`,
  ].join(', ')
  const values: Record<string, string | number> = {
    most,
    ...(taskName !== undefined && { taskName }),
  }
  const parts = ranges.map(({ from, to, after }, n) => {
    values[`from${n}`] = after ?? sight.idAt(from)
    values[`to${n}`] = sight.idAt(to)
    return words.part(
      `SELECT ${n} AS n, ${columns} FROM ${path} t WHERE t.id ${after === undefined ? '>=' : '>'} :from${n} AND t.id < :to${n} ORDER BY t.id LIMIT :most`,
    )
  })
  return { text: parts.join(' UNION ALL '), values }
}
