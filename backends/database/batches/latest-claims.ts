import type { Held } from '../../../lib/store'
import type { HeldRow } from '../row'

export function heldRow({ key, claims }: Held): HeldRow {
  return { row_key: key, claims }
}

/** A worker that stalled may have claimed its own row again. Claims only grow, so only the latest claim of a row can be valid. */
export function latestClaims(rows: readonly Held[]): (row: Held) => boolean {
  // As a worker hands them in.
  if (rows.every(({ key }, i) => key > (rows[i - 1]?.key ?? ''))) return () => true
  const latest = new Map<string, number>()
  for (const { key, claims } of rows) latest.set(key, Math.max(claims, latest.get(key) ?? claims))
  return ({ key, claims }) => claims === latest.get(key)
}
