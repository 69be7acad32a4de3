import { dashed } from '../../../entities/formats'
import { shown, UsageError } from '../../../index'
import type { Permission } from '../../security/access'
import { json } from '../answer'
import { chosen } from '../asked'
import { filterIn } from '../filter'
import { isId, name, parametersIn } from '../query'
import type { Changed, ChangeName } from '../wire'
import { changeFiltered } from './bulk'
import { type ChangeRoute, type Changing, recordIn } from './change'
import { type Deed, VERBS } from './verbs'

/** The most tasks that one request names, and the most that it changes by a filter. */
const MOST_IDS = 1_000
const MOST_FILTERED = 1_000_000
const MOST_PRIORITY = 100

/** What each change needs. */
const NEEDS: Readonly<Record<ChangeName, Permission>> = {
  retry: 'retry',
  cancel: 'cancel',
  delete: 'delete',
  prioritise: 'run',
  copy: 'run',
}

const IDS_OR_FILTER = `Send { "ids": […] } with 1 to ${MOST_IDS} ids of results, or { "filter": { … }, "atMost": … }.`

/** `POST tasks/<change>`. */
export function taskChange(name: string): ChangeRoute | undefined {
  if (!Object.hasOwn(NEEDS, name)) return undefined
  const change = name as ChangeName
  return { needs: NEEDS[change], answer: (changing, body) => changeTasks(changing, change, body) }
}

async function changeTasks(
  changing: Changing,
  change: ChangeName,
  body: unknown,
): Promise<Response> {
  const { backend: alias } = parametersIn(changing.search, { backend: name(32) })
  const given = recordIn(body, ['ids', 'filter', 'atMost', 'priority'], IDS_OR_FILTER)
  const priority = priorityIn(change, given['priority'])
  if (given['filter'] === undefined) {
    const ids = idsIn(given)
    return changeNamed(
      changing,
      { change, priority, backend: chosen(changing, alias), areFound: false },
      ids,
    )
  }
  const { filter, text, atMost } = filterOf(changing, given)
  const backend = chosen(changing, filter.backend ?? alias)
  return changeFiltered(
    changing,
    { change, priority, backend, areFound: true },
    { filter, text, atMost },
  )
}

async function changeNamed(
  changing: Changing,
  deed: Deed,
  ids: readonly string[],
): Promise<Response> {
  const changed: string[] = []
  const refused: Changed['refused'][number][] = []
  try {
    await VERBS[deed.change](changing, deed, ids, {
      changed: (some) => changed.push(...some),
      refused: (refusal) => refused.push(refusal),
    })
    return json(200, { changed, refused } satisfies Changed)
  } finally {
    // Also of a request that failed half way.
    const { change: action, backend, priority } = deed
    const what = { action, backend: backend.alias, ids, changed: changed.length }
    await changing.audit({
      user: changing.user,
      ...what,
      ...(action === 'prioritise' && { priority }),
    })
  }
}

/** @throws UsageError for what is no list of ids. */
function idsIn({ ids, atMost }: Readonly<Record<string, unknown>>): readonly string[] {
  if (atMost !== undefined)
    throw new UsageError('The body has atMost, but no filter.', IDS_OR_FILTER)
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST_IDS)
    throw new UsageError(`ids is ${shown(ids)}.`, IDS_OR_FILTER)
  const bad: unknown = ids.find((id) => !isId(id))
  if (bad !== undefined)
    throw new UsageError(`ids has ${shown(bad)}, which is no id.`, IDS_OR_FILTER)
  // With hyphens or without, it is one task.
  return [...new Set((ids as string[]).map(dashed))]
}

function filterOf(changing: Changing, { ids, filter, atMost }: Readonly<Record<string, unknown>>) {
  if (ids !== undefined) throw new UsageError('The body has both ids and filter.', IDS_OR_FILTER)
  const most = typeof atMost === 'number' && Number.isInteger(atMost) ? atMost : 0
  if (most < 1 || most > MOST_FILTERED)
    throw new UsageError(
      `atMost is ${shown(atMost)}.`,
      `Give a whole number from 1 to ${MOST_FILTERED}: so many tasks are changed at most.`,
    )
  const entries = Object.entries(recordIn(filter, Object.keys(filter ?? {}), IDS_OR_FILTER))
  const bad = entries.find(([, value]) => typeof value !== 'string')
  if (bad) throw new UsageError(`filter.${bad[0]} is ${shown(bad[1])}.`, 'Give a text.')
  const search = new URLSearchParams(entries as [string, string][])
  return { filter: filterIn(changing, search), text: Object.fromEntries(search), atMost: most }
}

/** @throws UsageError unless `prioritise` is given one, and only that. */
function priorityIn(change: ChangeName, priority: unknown): number {
  if (change !== 'prioritise' && priority === undefined) return 0
  if (change !== 'prioritise')
    throw new UsageError(`The body has a priority, and ${change} takes none.`, 'Leave it out.')
  if (
    typeof priority === 'number' &&
    Number.isInteger(priority) &&
    Math.abs(priority) <= MOST_PRIORITY
  )
    return priority
  throw new UsageError(
    `priority is ${shown(priority)}.`,
    `Give a whole number from -${MOST_PRIORITY} to ${MOST_PRIORITY}.`,
  )
}
