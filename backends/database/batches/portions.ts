import { isRefusal } from '../connections/database-errors'
import type { FinishRow } from '../row'

/** The outcomes in portions of at most `limit` characters, or of a single outcome: the smallest first, if there are several. */
export function portionsOf(rows: readonly FinishRow[], limit: number): (readonly FinishRow[])[] {
  if (rows.length <= 1 || sizeOfAll(rows) <= limit) return rows.length === 0 ? [] : [rows]
  const portions: FinishRow[][] = []
  let left = 0
  for (const row of rows.toSorted((a, b) => sizeOf(a) - sizeOf(b))) {
    const size = sizeOf(row)
    if (portions.length === 0 || size > left) {
      portions.push([])
      left = limit
    }
    portions.at(-1)?.push(row)
    left -= size
  }
  return portions
}

/** Runs `work` on rows. If the database refuses that, on each half, and so on, until the row that it refuses is alone: `refused` decides about it. */
export async function halving<Row>(
  rows: readonly Row[],
  work: (rows: readonly Row[]) => Promise<void>,
  refused: (row: Row, error: unknown) => Promise<void>,
): Promise<void> {
  try {
    await work(rows)
  } catch (error) {
    const [only, ...others] = rows
    if (only === undefined || !isRefusal(error)) throw error
    if (others.length === 0) return refused(only, error)
    const middle = rows.length >> 1
    await halving(rows.slice(0, middle), work, refused)
    await halving(rows.slice(middle), work, refused)
  }
}

/**
 * The most text, in characters, that outcomes of one statement carry. Escaped on its way (JSON in JSON in SQL, each doubling
 * a quote) it grows at most fourfold: half of the smallest default packet, MariaDB's 16 MiB.
 */
export const PORTION = 2 * 1024 * 1024

/** Estimate of what an outcome takes besides its texts. */
const REST = 100

/** The size of an outcome in characters. */
export function sizeOf(row: FinishRow): number {
  return (
    REST +
    (row.return_value?.length ?? 0) +
    row.traceback.length +
    (row.attempt_errors?.length ?? 0) +
    (row.progress?.length ?? 0)
  )
}

export function sizeOfAll(rows: readonly FinishRow[]): number {
  return rows.reduce((sum, row) => sum + sizeOf(row), 0)
}
