import {
  ALIAS,
  ANYTHING,
  MILLISECONDS,
  type OptionTable,
  QUEUE_NAMES_OR_ALL,
  TRUE_OR_FALSE,
  completed,
  or,
  row,
  settingsSubject,
} from '../errors/option-checks'
import type { PruneQuery } from '../store'
import { allOr } from './worker-options'

type QueryOptions = {
  readonly [Name in keyof Omit<PruneQuery, 'queues'>]?: PruneQuery[Name] | undefined
}

export interface PruneOptions extends QueryOptions {
  /** The alias in TASKS. Default `'default'`. */
  backend?: string | undefined
  /** Queues to prune, or `'*'` for all. Default `['default']`. */
  queues?: readonly string[] | '*' | undefined
}

const FOURTEEN_DAYS_MS = 14 * 24 * 60 * 60 * 1000
/** A hundred years: some databases have no dates further back. */
const OLDEST_MS = 100 * 365 * 24 * 60 * 60 * 1000

/** Every option of pruning, its default and what it must be. */
export const PRUNE_OPTIONS = {
  backend: row('default', ALIAS),
  queues: row<readonly string[] | '*'>(['default'], QUEUE_NAMES_OR_ALL),
  minAge: row(FOURTEEN_DAYS_MS, MILLISECONDS),
  /** Absent: as `minAge`. */
  failedMinAge: row<number | undefined>(undefined, or(undefined, MILLISECONDS)),
  dryRun: row(false, TRUE_OR_FALSE),
  onProgress: row<PruneQuery['onProgress']>(undefined, ANYTHING),
} satisfies OptionTable<PruneOptions>

/**
 * What is to be deleted, checked: a typing error must not delete more than was meant.
 *
 * @throws InvalidSettingsError naming the option, what was expected and what was found.
 */
export function pruneQueryOf(options: PruneOptions): PruneQuery {
  const given = completed(settingsSubject('Prune'), options, PRUNE_OPTIONS)
  const { minAge, failedMinAge = minAge, dryRun, onProgress } = given
  return {
    queues: allOr(given.queues),
    minAge: Math.min(minAge, OLDEST_MS),
    failedMinAge: Math.min(failedMinAge, OLDEST_MS),
    dryRun,
    ...(onProgress ? { onProgress } : {}),
  }
}
