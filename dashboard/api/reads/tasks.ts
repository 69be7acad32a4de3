import { NotSupportedError, type TaskResult } from '../../../index'
import type { Browser, TaskPage, TaskQuery } from '../../../lib/browser'
import { type Asked, browserOf, chosen, type Reading, resultOf } from '../asked'
import { type Filter, pageIn } from '../filter'
import { name, parametersIn } from '../query'
import { iso, listed, type Looker, whole } from '../views'
import type { FlowView, Listed, TaskPageView, Whole } from '../wire'

/** Tasks on a page, and those that are looked at for it, unless the request says otherwise. */
const PAGE = 50
export const WITHIN = 100_000
/** The same where values are compared, which are read for that: a page is to come within 300 ms (measured: `faults/browser`). */
const WITHIN_VALUES = 50_000
/** Tasks of the same name that are shown beside one. */
const LATEST = 20

/** A page of tasks, the newest first; `next` is the `before` of the next page. */
export function tasksRoute(asked: Asked): Reading {
  const { filter, bounds } = pageIn(asked, asked.search)
  const backend = chosen(asked, filter.backend)
  const { limit = PAGE, before } = bounds
  const { within = filter.looksAtValues ? WITHIN_VALUES : WITHIN } = bounds
  return async (): Promise<TaskPageView> => {
    const browser = await browserOf(asked, backend)
    const page = await pageOf(browser, filter, { limit, within, before }, lookerOf(asked))
    const tasks = page.tasks.map((task) => listed(task, lookerOf(asked)))
    return { tasks, next: page.next, searchedTo: iso(page.searchedTo) }
  }
}

/** Where values are compared, those of tasks that are not shown are not: that one is found would tell what it has. */
export async function pageOf(
  browser: Browser,
  { query, looksAtValues }: Filter,
  bounds: Pick<TaskQuery, 'limit' | 'within' | 'before'>,
  { redact: { show } }: Looker,
): Promise<TaskPage> {
  return browser.tasks({ ...query, ...bounds, ...(looksAtValues && { isShown: show }) })
}

export function lookerOf({ access, page: { redact } }: Pick<Asked, 'access' | 'page'>): Looker {
  return { access, redact }
}

/** One task, its flow, and the latest of its name. */
export function taskRoute(asked: Asked, id: string): Reading {
  const { backend: alias } = parametersIn(asked.search, { backend: name(32) })
  const backend = chosen(asked, alias)
  return async (): Promise<Whole> => {
    const result = await resultOf(asked, backend, id)
    const browser = await browserOf(asked, backend)
    return {
      ...whole(result, lookerOf(asked)),
      flow: await flowOf(asked, browser, result),
      latest: await latestOf(asked, browser, result),
    }
  }
}

async function flowOf(
  asked: Asked,
  browser: Browser,
  { id }: TaskResult<unknown>,
): Promise<FlowView | null> {
  const flow = await ifSupported(browser.flow(id))
  if (!flow) return null
  const { before, beside, after, beforeCount, besideCount } = flow
  const views = (tasks: readonly TaskResult<unknown>[]): Listed[] =>
    tasks.map((task) => listed(task, lookerOf(asked)))
  return {
    before: views(before),
    beforeCount,
    beside: views(beside),
    besideCount,
    after: views(after),
  }
}

async function latestOf(
  asked: Asked,
  browser: Browser,
  { taskName }: TaskResult<unknown>,
): Promise<Listed[]> {
  const { tasks } = await browser.tasks({ taskName, limit: LATEST, within: WITHIN })
  return tasks.map((task) => listed(task, lookerOf(asked)))
}

/** Null: the backend has no such thing. */
export async function ifSupported<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (error instanceof NotSupportedError) return null
    throw error
  }
}
