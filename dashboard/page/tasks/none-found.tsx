import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { TaskPageView } from '../../api/wire'
import { useAround, usePath } from '../frame/context'
import { linkTo } from '../frame/place'
import { nearest } from '../parts/nearest'
import { Empty } from '../parts/parts'
import { briefly } from '../parts/shown'
import { get } from '../server/api'
import { WORDS } from '../words'
import { type Filter, withValue } from './filter'
import { knownNames, noteNames } from './known'

/** Filters that compare a whole name. */
const WHOLE = ['queue', 'task', 'worker', 'error'] as const
const MOST_OFFERED = 5

/** Where no task is like the filter: why that may be, and names that are like those in it. */
export function NoneFound({ filter }: { readonly filter: Filter }): JSX.Element {
  const { queues } = useAround().backend
  const names = useNames(filter.has('task'))
  const whole = WHOLE.filter((name) => filter.has(name))
  const offers = [
    ...offersOf(filter, 'task', names),
    ...offersOf(filter, 'queue', queues?.map(({ name }) => name) ?? []),
  ]
  if (whole.length === 0) return <Empty what={WORDS.noneFound} hint={WORDS.noneFoundHint} />
  return (
    <Empty what={WORDS.noneFound} hint={WORDS.wholeNames(whole)}>
      {offers.length > 0 ? (
        <p class="offers">
          {offers.map(([name, value]) => (
            <a key={name + value} href={linkTo('tasks', withValue(filter, name, value))}>
              {name}:{briefly(value)}
            </a>
          ))}
        </p>
      ) : null}
    </Empty>
  )
}

/** The names that the page knows; those of the newest tasks, too, if they are needed. */
function useNames(areNeeded: boolean): readonly string[] {
  const path = usePath('tasks', { limit: '200' })
  const [, turn] = useState(0)
  useEffect(() => {
    if (!areNeeded) return
    const gone = new AbortController()
    const read = async (): Promise<void> => {
      noteNames((await get<TaskPageView>(path, gone.signal)).tasks)
      turn((before) => before + 1)
    }
    // Without them fewer names are offered.
    read().catch(() => {})
    return () => gone.abort()
  }, [path, areNeeded])
  return knownNames()
}

function offersOf(
  filter: Filter,
  name: 'task' | 'queue',
  known: readonly string[],
): (readonly [string, string])[] {
  const value = filter.get(name)
  if (value === undefined) return []
  const others = known.filter((each) => each !== value)
  const parts = others.filter((each) => each.toLowerCase().includes(value.toLowerCase()))
  const near = parts.length > 0 ? parts : [nearest(value, others)]
  return near
    .flatMap((each) => (each === undefined ? [] : [[name, each] as const]))
    .slice(0, MOST_OFFERED)
}
