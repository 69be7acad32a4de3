import type { ResultValues } from './record'

/** For how many ms a row had been due when it was claimed, by the clock of the database; null if its row does not say. */
export function dueMs({
  startedAt,
  enqueuedAt,
  runAfter,
}: Pick<ResultValues, 'startedAt' | 'enqueuedAt' | 'runAfter'>): number | null {
  if (startedAt === null || enqueuedAt === null) return null
  return startedAt.getTime() - Math.max(enqueuedAt.getTime(), runAfter?.getTime() ?? 0)
}
