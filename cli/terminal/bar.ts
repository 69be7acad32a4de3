import type { Progress } from '../../lib/row/record'

/** A bar of so many columns; blank where the total is not known. */
export function barOf({ done, total }: Progress, columns: number): string {
  if (total === null) return ' '.repeat(columns)
  const part = total > 0 ? Math.min(1, Math.max(0, done / total)) : 1
  const full = Math.round(part * columns)
  return '\u2588'.repeat(full) + '\u2591'.repeat(columns - full)
}
