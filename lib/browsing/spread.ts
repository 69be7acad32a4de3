import type { Spread } from '../browser'

/** Of times in ms the one that half of them, and that 95 of 100, are within; null: there are none. */
export function spreadOf(times: readonly number[]): Spread | null {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return sorted.length === 0 ? null : { p50: at(0.5), p95: at(0.95) }
}
