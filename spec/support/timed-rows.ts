import type { DataSource } from 'typeorm'
import { DBTaskResult } from '#entities'
import { readyRow } from './row-values'

let made = 0

/** An id of our own, made at that instant; later ones are greater. */
export function idMadeAt(at: Date): string {
  made += 1
  const hex = at.getTime().toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${made.toString(16).padStart(12, '0')}`
}

/** Writes rows whose ids tell when they were enqueued; by default an instant ago. Gives the ids. */
export async function addTimed(
  dataSource: DataSource,
  rows: readonly Partial<DBTaskResult>[],
): Promise<string[]> {
  const whole = rows.map((row) => {
    const enqueuedAt = row.enqueuedAt ?? new Date()
    return readyRow({ id: idMadeAt(enqueuedAt), ...row, enqueuedAt })
  })
  for (let at = 0; at < whole.length; at += 500)
    await dataSource.getRepository(DBTaskResult).insert(whole.slice(at, at + 500) as object[])
  return whole.map(({ id }) => id)
}
