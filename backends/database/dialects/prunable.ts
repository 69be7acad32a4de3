import type { PruneAges, PruneQuery } from '../../../lib/store'
import type { Values } from '../connections/statement'
import type { AgeGroup, Prunable, RowAges } from './dialect'

type Ages = Pick<Prunable, 'groups' | keyof RowAges>
type Group = RowAges & { readonly names: string[] }

/** The ages of a query, one group for all tasks with the same ones: many tasks have few different ages. */
export function agesOf({
  tasks = [],
  ...others
}: Pick<PruneQuery, 'tasks' | keyof PruneAges>): Ages {
  const groups = new Map<string, Group>()
  for (const { name, ...ages } of tasks) {
    const own = orNever(ages)
    const key = JSON.stringify(own)
    const group: Group = groups.get(key) ?? { names: [], ...own }
    group.names.push(name)
    groups.set(key, group)
  }
  return { groups: [...groups.values()], ...orNever(others) }
}

function orNever({ minAge, failedMinAge }: PruneAges): RowAges {
  return { minAge: minAge ?? null, failedMinAge: failedMinAge ?? null }
}

/**
 * Which finished rows may be deleted; `isOlder`: those that finished so many ms ago, none for NULL. `withAges` completes the
 * text. A row that stays whatever its age is kept from it by a condition here, and by one of `prunable` in portable/where.
 */
export function prunableSql(isBackend: string, isOlder: (age: string) => string): string {
  return `${isBackend} AND ((status = 'SUCCESSFUL' AND ${isOlder('{minAge}')}) OR (status = 'FAILED' AND ${isOlder('{failedMinAge}')}))`
}

/** `isOneOf`: whether the row is of a task among the names of that parameter. */
export function withAges(
  text: string,
  groups: readonly AgeGroup[],
  isOneOf: (names: string) => string,
): string {
  return text.replaceAll(/\{(minAge|failedMinAge)\}/g, (_, age: string) => {
    if (groups.length === 0) return `:${age}`
    const own = groups.map((_group, i) => `WHEN ${isOneOf(`:names${i}`)} THEN :${age}${i}`)
    return `(CASE ${own.join(' ')} ELSE :${age} END)`
  })
}

/** The values that such a text asks for. */
export function ageValues({ backendName, groups, minAge, failedMinAge }: Prunable): Values {
  const own = groups.map((group, i) => ({
    [`names${i}`]: group.names,
    [`minAge${i}`]: group.minAge,
    [`failedMinAge${i}`]: group.failedMinAge,
  }))
  return Object.assign({ backendName, minAge, failedMinAge }, ...own) as Values
}
