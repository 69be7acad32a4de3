import { DBTaskResult } from '../../../entities/db-task-result.entity'
import type { TaskBackend } from '../../../lib/backend'
import type { Browser, Pause } from '../../../lib/browser'
import { NotSupportedError } from '../../../lib/errors/errors'
import { TaskResult } from '../../../lib/result'
import { pausesOf } from '../queues/pauses'
import { browseWordsFor } from '../dialects/browsing/words-for'
import type { Place } from '../place'
import { valuesOf } from '../row'
import { dbResultOf } from '../row-to-entity'
import { Asking } from './asking'
import { DatabaseBrowser } from './browser'
import { Sight } from './sight'

export interface BrowserSettings {
  /** Makes the ids; absent: the library does. */
  readonly idFunction?: unknown
  /** Limit in ms for each statement; by default 3 s. */
  readonly limitMs?: number
}

/**
 * A browser with connections of its own.
 *
 * @throws NotSupportedError for a database that workers use by portable means; DatabaseUnreachableError
 */
export async function openBrowserOn(
  { dataSource, table, dialect }: Place,
  backend: TaskBackend,
  { idFunction, limitMs }: BrowserSettings,
): Promise<Browser> {
  const { alias, settings } = backend
  const words = browseWordsFor(table.type)
  if (!words)
    throw new NotSupportedError(
      `TASKS.${alias} is on a database of type "${table.type}", which cannot be browsed within limits.`,
      'PostgreSQL, MySQL, MariaDB and SQLite can; others have `list` and `counts`.',
    )
  const asking = await Asking.open(dataSource, table, words, limitMs)
  const isOurs = dataSource.getMetadata(DBTaskResult).synchronize
  const sight = new Sight({
    asking,
    table,
    words,
    backendName: alias,
    isOurs,
    hasTimedIds: isOurs && idFunction === undefined,
    resultOf: (row) =>
      new TaskResult(
        backend,
        () => valuesOf(row),
        () => dbResultOf(row, dataSource),
      ),
  })
  const pauses = async (): Promise<readonly Pause[]> =>
    table.queues ? asking.do((session) => pausesOf({ dialect, table }, alias).active(session)) : []
  return new DatabaseBrowser(sight, { dialect, queues: settings.queues, pauses })
}
