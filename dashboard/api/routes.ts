import { didYouMean, shown, type TaskBackend, UsageError } from '../../index'
import type { RedactOptions } from '../options'
import type { Permission } from '../security/access'
import { ID, name, oneOf, parametersIn, wholeNumber } from './query'
import { listed, whole } from './views'

/** A request that may be answered. */
export interface Asked {
  readonly search: URLSearchParams
  readonly access: ReadonlySet<Permission>
  readonly redact: RedactOptions
  readonly backends: ReadonlyMap<string, TaskBackend>
}

/** Rows on a page, and the rows that are looked at for it, unless the request says otherwise. */
const PAGE = 50
const WITHIN = 100_000

const LIST = {
  backend: name(32),
  status: oneOf('READY', 'RUNNING', 'FAILED', 'SUCCESSFUL'),
  queue: name(32),
  task: name(1_000),
  before: ID,
  limit: wholeNumber(1, 200),
  within: wholeNumber(1, 1_000_000),
}

/** A page of tasks, the newest first, of the newest `within` ones; `next` is the `before` of the next page. */
export async function tasksRoute({ search, backends }: Asked): Promise<unknown> {
  const given = parametersIn(search, LIST)
  const limit = given.limit ?? PAGE
  const results = await chosen(backends, given.backend).list({
    limit,
    within: given.within ?? WITHIN,
    status: given.status,
    queues: given.queue === undefined ? null : [given.queue],
    taskName: given.task,
    before: given.before,
  })
  return {
    tasks: results.map(listed),
    next: results.length < limit ? null : (results.at(-1)?.id ?? null),
  }
}

export async function taskRoute(
  { search, backends, access, redact }: Asked,
  id: string,
): Promise<unknown> {
  const { backend } = parametersIn(search, { backend: name(32) })
  return whole(await chosen(backends, backend).getResult(id), access, redact)
}

/** The number of tasks in each status among the newest ones. */
export async function overviewRoute({ search, backends }: Asked): Promise<unknown> {
  const given = parametersIn(search, { within: wholeNumber(1, 1_000_000) })
  const within = given.within ?? WITHIN
  const all = [...backends].map(async ([alias, backend]) => ({
    backend: alias,
    counts: await backend.counts({ within }),
  }))
  return { within, backends: await Promise.all(all) }
}

/** @throws UsageError for an alias that the page does not show. */
export function chosen(
  backends: ReadonlyMap<string, TaskBackend>,
  alias: string | undefined,
): TaskBackend {
  const [first = ''] = backends.keys()
  const backend = backends.get(alias ?? first)
  if (backend) return backend
  throw new UsageError(
    `There is no backend ${shown(alias)} here.`,
    didYouMean(alias ?? '', [...backends.keys()]) ??
      `There are ${[...backends.keys()].join(', ')}.`,
  )
}
