import { assertKnown, flag, milliseconds, queuesMeant } from '../settings/option-checks'
import type { PruneWish } from '../store'

export interface PruneOptions extends Partial<Omit<PruneWish, 'queues'>> {
  /** The alias in TASKS. Default `'default'`. */
  backend?: string
  /** Queues to prune, or `'*'` for all. Default `['default']`. */
  queues?: readonly string[] | '*'
}

const NAMES = ['backend', 'queues', 'minAge', 'failedMinAge', 'dryRun', 'onProgress']
const FOURTEEN_DAYS = 14 * 24 * 60 * 60 * 1000
/** A hundred years: dates further back are none to some databases. */
const OLDEST = 100 * 365 * 24 * 60 * 60 * 1000

/**
 * What is to be deleted, checked: a typing error must not delete more than was meant.
 *
 * @throws InvalidSettingsError naming the option, what was expected and what was found.
 */
export function pruneWishOf(options: PruneOptions): PruneWish {
  assertKnown('Prune', options, NAMES)
  const {
    queues = ['default'],
    minAge = FOURTEEN_DAYS,
    failedMinAge = minAge,
    dryRun = false,
    onProgress,
  } = options
  const wish = {
    queues: queuesMeant('Prune', queues),
    minAge: age('minAge', minAge),
    failedMinAge: age('failedMinAge', failedMinAge),
    dryRun: flag('Prune', 'dryRun', dryRun),
  }
  return onProgress ? { ...wish, onProgress } : wish
}

function age(option: string, value: number): number {
  return Math.min(milliseconds('Prune', option, value), OLDEST)
}
