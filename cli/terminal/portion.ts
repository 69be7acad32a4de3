import type { Progress } from '../../lib/record'

const FORMAT = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

/** How far a task has come: `450/1,000`, or `450` if it does not know the total. */
export function portionOf({ done, total }: Progress): string {
  return total === null ? FORMAT.format(done) : `${FORMAT.format(done)}/${FORMAT.format(total)}`
}
