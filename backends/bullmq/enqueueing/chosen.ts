import type { NewJob } from './new-job'

/** What is written of jobs of which some have the same key. */
export interface Chosen {
  readonly jobs: readonly NewJob[]
  /** By ids of jobs with a key: the id of the one that is written for all of that key. */
  readonly insteadOf: ReadonlyMap<string, string>
  /** Ids of the first of each key. */
  readonly first: ReadonlySet<string>
}

const NONE: Pick<Chosen, 'insteadOf' | 'first'> = { insteadOf: new Map(), first: new Set() }

/** One job for all that have the same key: that of the first order, or of the last one of a debounce. */
export function chosenOf(jobs: readonly NewJob[]): Chosen {
  if (jobs.every(({ key }) => key === null)) return { jobs, ...NONE }
  const insteadOf = new Map<string, string>()
  const first = new Set<string>()
  for (const alike of alikeOf(jobs)) {
    const chosen = oneOf(alike)
    for (const { id } of alike) insteadOf.set(id, chosen?.id ?? id)
    if (alike[0]) first.add(alike[0].id)
  }
  const isChosen = ({ id }: NewJob): boolean => (insteadOf.get(id) ?? id) === id
  return { jobs: jobs.filter(isChosen), insteadOf, first }
}

function oneOf(alike: readonly NewJob[]): NewJob | undefined {
  return alike[0]?.order.key?.kind === 'debounce' ? alike.at(-1) : alike[0]
}

/** Those with a key, by it. */
function alikeOf(jobs: readonly NewJob[]): Iterable<readonly NewJob[]> {
  const byKey = new Map<string, NewJob[]>()
  for (const job of jobs) {
    if (job.key === null) continue
    const alike = byKey.get(job.key)
    if (alike) alike.push(job)
    else byKey.set(job.key, [job])
  }
  return byKey.values()
}
