import {
  ALIAS,
  ANYTHING,
  MILLISECONDS,
  type Completed,
  type OptionTable,
  QUEUE_NAMES_OR_ALL,
  TRUE_OR_FALSE,
  completed,
  or,
  row,
  settingsSubject,
} from '../errors/option-checks'
import { tasks } from '../registry'
import { type KeepResults, type KeptByStatus, keptFor, LONGEST_KEPT_MS } from '../retention'
import type { PruneAges, PruneQuery, TaskAges } from '../store'
import { allOr } from './worker-options'

export interface PruneOptions {
  /** The alias in TASKS. Default `'default'`. */
  backend?: string | undefined
  /** Queues to prune, or `'*'` for all. Default `['default']`. */
  queues?: readonly string[] | '*' | undefined
  /**
   * Milliseconds since the task finished after which a SUCCESSFUL result goes, unless its task has `keepResults`.
   * Default: OPTIONS.retention of the backend, or 14 days.
   */
  readonly minAge?: number | undefined
  /** The same for FAILED results. Default: `minAge` if that is given. */
  readonly failedMinAge?: number | undefined
  /** Only counts. Default false. */
  readonly dryRun?: boolean | undefined
  /** Called after each chunk with the number deleted so far. */
  readonly onProgress?: ((deleted: number) => void) | undefined
}

const FOURTEEN_DAYS_MS = 14 * 24 * 60 * 60 * 1000

/** Every option of pruning, its default and what it must be. */
export const PRUNE_OPTIONS = {
  backend: row('default', ALIAS),
  queues: row<readonly string[] | '*'>(['default'], QUEUE_NAMES_OR_ALL),
  minAge: row<number | undefined>(undefined, or(undefined, MILLISECONDS)),
  failedMinAge: row<number | undefined>(undefined, or(undefined, MILLISECONDS)),
  dryRun: row(false, TRUE_OR_FALSE),
  onProgress: row<PruneQuery['onProgress']>(undefined, ANYTHING),
} satisfies OptionTable<PruneOptions>

/** The options, checked and complete: a typing error must not delete more than was meant. */
export type PruneSettings = Completed<typeof PRUNE_OPTIONS>

/** @throws InvalidSettingsError naming the option, what was expected and what was found. */
export function pruneSettingsOf(options: PruneOptions): PruneSettings {
  return completed(settingsSubject('Prune'), options, PRUNE_OPTIONS)
}

/** What is to be deleted by hand. What somebody asks for is for all tasks but those with `keepResults`. */
export function pruneQueryOf(
  { queues, minAge, failedMinAge = minAge, dryRun, onProgress }: PruneSettings,
  retention: KeepResults | null,
): PruneQuery {
  const kept = keptFor({ successful: minAge, failed: failedMinAge }, retention)
  const general = {
    successful: Math.min(kept.successful ?? FOURTEEN_DAYS_MS, LONGEST_KEPT_MS),
    failed: Math.min(kept.failed ?? FOURTEEN_DAYS_MS, LONGEST_KEPT_MS),
  }
  return {
    queues: allOr(queues),
    ...agesOf(general),
    dryRun,
    ...(onProgress ? { onProgress } : {}),
  }
}

/** What workers of a backend delete, in all queues; undefined: nothing. */
export function retentionQueryOf(retention: KeepResults | null): PruneQuery | undefined {
  const ages = agesOf(keptFor(null, retention))
  const isAny = [ages, ...ages.tasks].some(
    ({ minAge, failedMinAge }) => minAge !== undefined || failedMinAge !== undefined,
  )
  return isAny ? { queues: null, dryRun: false, ...ages } : undefined
}

/** The ages of results, those of tasks with `keepResults` apart. */
function agesOf(general: KeptByStatus): PruneAges & { readonly tasks: readonly TaskAges[] } {
  const own = tasks.all().filter(({ keepResults }) => keepResults !== null)
  return {
    ...inAges(general),
    tasks: own.map(({ name, keepResults }) => ({ name, ...inAges(keptFor(keepResults, general)) })),
  }
}

function inAges({ successful: minAge, failed: failedMinAge }: KeptByStatus): PruneAges {
  return { minAge, failedMinAge }
}
