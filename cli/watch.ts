import type { Watch } from '../lib/worker/chores/watching'
import { late } from './lazy'
import { isWanted } from './output'
import { isSupervised } from './process/self'

/** Bars on a terminal; elsewhere lines, if those were asked for. Several processes would overwrite each other's bars. */
export function watchOf(): Watch | undefined {
  const hasBars = process.stderr.isTTY && process.env['TERM'] !== 'dumb' && !isSupervised()
  if (isWanted(1) && hasBars) return late.runBars().runBars()
  return isWanted(2) ? late.runLines().runLines() : undefined
}
