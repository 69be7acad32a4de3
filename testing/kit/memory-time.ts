import { textBefore } from '../../backends/database/bound/move-back'
import { UNDELAYED } from '../../backends/database/enqueueing/shared-values'
import type { MemoryTable } from '../../backends/memory/table'
import { isInQueues } from '../../backends/memory/table'
import { COLUMNS } from '../../entities/columns'
import { instantOf, isParked } from '../../entities/formats'

const INSTANTS = COLUMNS.flatMap(({ name, kind }) => (kind === 'instant' ? [name] : []))

/** Moves all rows into the past, by so many milliseconds. */
export function moveRowsBack(table: MemoryTable, ms: number): void {
  table.changes += 1
  for (const row of table.rows.values()) {
    for (const name of INSTANTS) {
      const earlier = textBefore(row[name], ms)
      if (earlier !== null) row[name] = earlier
    }
    if (row.leaseEnds !== null) row.leaseEnds -= ms
  }
}

/** Milliseconds until the next row of these queues is due that waits for its time, less than 0 if it is; undefined: none does. */
export function untilDue(table: MemoryTable, queues: readonly string[] | null): number | undefined {
  const dues = [...table.rows.values()]
    .filter((row) => row.status === 'READY' && isInQueues(row, { queues }))
    .flatMap(({ run_after: text }) =>
      text === null || text === UNDELAYED || isParked(text) ? [] : (instantOf(text) ?? []),
    )
  if (dues.length === 0) return undefined
  const next = dues.reduce((least, due) => Math.min(least, Number(due)), Number.POSITIVE_INFINITY)
  return next - table.now()
}
