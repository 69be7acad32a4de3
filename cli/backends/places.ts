import { DatabaseBackend } from '../../backends/database/backend'
import type { TaskBackend } from '../../lib/backend'
import { backends } from '../../lib/backend-registry'
import { isServed } from '../backend-option'
import { tell } from '../output'

/** Backends whose rows are in several places, one of each place, in the order of TASKS. */
export async function placesOf(all: readonly TaskBackend[]): Promise<TaskBackend[]> {
  const found = new Map<unknown, TaskBackend>()
  for (const backend of all) {
    const place = await placeOf(backend)
    if (!found.has(place)) found.set(place, backend)
  }
  return [...found.values()]
}

/** Backends that keep rows for workers, and show none of those that `shown` shows: one of each place. */
export async function othersThan(shown: TaskBackend): Promise<TaskBackend[]> {
  const own = [shown.alias, ...(shown.servedBy ?? [])].map((alias) => backends.get(alias))
  const seen = await Promise.all(own.map(placeOf))
  const others: TaskBackend[] = []
  for (const backend of await placesOf(backends.all().filter(isServed)))
    if (!seen.includes(await placeOf(backend))) others.push(backend)
  return others
}

/** To somebody who named no backend: of which one the answer is, and that there are others. Nothing where it is the only one. */
export async function sayOthers(shown: TaskBackend, what = 'Shown is'): Promise<void> {
  const others = await othersThan(shown)
  if (others.length > 0)
    tell(`${what} TASKS.${shown.alias}. Others: ${others.map(optionOf).join(', ')}.`)
}

export function optionOf({ alias }: TaskBackend): string {
  return `--backend ${alias}`
}

/** Backends of one database list the rows of each other. */
async function placeOf(backend: TaskBackend): Promise<unknown> {
  return backend instanceof DatabaseBackend ? ((await backend.dataSource()) ?? backend) : backend
}
