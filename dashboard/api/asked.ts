import {
  didYouMean,
  ResultNotFoundError,
  type TaskBackend,
  type TaskResult,
  UsageError,
} from '../../index'
import type { Browser } from '../../lib/browser'
import type { Browsers } from '../browsing/browsers'
import type { RedactOptions } from '../options'
import type { Permission } from '../security/access'
import { brief } from './query'

/** The page that is asked, whoever asks. */
export interface Page {
  readonly title: string
  readonly environment: string | null
  readonly redact: RedactOptions
  /** Those it shows, by alias. */
  readonly backends: () => ReadonlyMap<string, TaskBackend>
  readonly browsers: Browsers
  /** Hears of errors that are not told to those who ask. */
  readonly report: (error: unknown) => void
  /** Aborts when the page is closed. */
  readonly closed: AbortSignal
}

/** A request that may be answered. */
export interface Asked {
  readonly search: URLSearchParams
  readonly access: ReadonlySet<Permission>
  readonly page: Page
}

/** Reads what was asked for, and is checked already. */
export type Reading = () => Promise<unknown>

/** @throws UsageError for an alias that the page does not show. */
export function chosen({ page }: Pick<Asked, 'page'>, alias: string | undefined): TaskBackend {
  const backends = page.backends()
  const [first = ''] = backends.keys()
  const backend = backends.get(alias ?? first)
  if (backend) return backend
  const known = [...backends.keys()]
  throw new UsageError(
    alias === undefined ? 'There is no backend here.' : `There is no backend ${brief(alias)} here.`,
    didYouMean(alias ?? '', known) ??
      (known.length === 0 ? 'Call configureTasks.' : `There are ${known.join(', ')}.`),
  )
}

export function browserOf({ page }: Pick<Asked, 'page'>, backend: TaskBackend): Promise<Browser> {
  return page.browsers.of(backend)
}

/**
 * A result of a backend that the page shows: one table may hold those of others, too.
 *
 * @throws ResultNotFoundError if there is none.
 */
export async function resultOf(
  asked: Pick<Asked, 'page'>,
  backend: TaskBackend,
  id: string,
): Promise<TaskResult<unknown>> {
  const { page } = asked
  const result = await (await browserOf(asked, backend)).result(id)
  const isOwn = (backend.servedBy ?? [backend.alias]).includes(result.backend)
  if (isOwn || page.backends().has(result.backend)) return result
  throw new ResultNotFoundError(id)
}
