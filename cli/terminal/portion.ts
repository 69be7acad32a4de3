import type { Progress } from '../../lib/row/record'

const FORMAT = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** How far a task has come: `450/1,000`, or `450` if it does not know the total. */
export function portionOf({ done, total }: Progress): string {
  return total === null ? FORMAT.format(done) : `${FORMAT.format(done)}/${FORMAT.format(total)}`
}

/** Whole seconds: `12s`, `3m05s`, `2h03m`. */
export function elapsed(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  const twoDigits = (n: number): string => String(n % 60).padStart(2, '0')
  if (minutes === 0) return `${seconds}s`
  if (minutes < 60) return `${minutes}m${twoDigits(seconds)}s`
  return `${Math.floor(minutes / 60)}h${twoDigits(minutes)}m`
}
