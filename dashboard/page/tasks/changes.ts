import type { Changed, ChangeName, Listed } from '../../api/wire'
import { say } from '../frame/saying'
import { post, problemOf } from '../server/api'
import { CHANGES, WORDS } from '../words'

/** What the server takes of ids at once. */
const MOST_IDS = 1_000
const MOST_TOLD = 5

export type Change = (typeof CHANGES)[number]

/** Those that somebody may make, of tasks that are shown. */
export function changesFor(
  permissions: readonly string[],
  tasks: readonly Pick<Listed, 'status'>[],
): readonly Change[] {
  return CHANGES.filter(
    ({ needs, of }) =>
      permissions.includes(needs) && tasks.some(({ status }) => of.includes(status)),
  )
}

/** Changes tasks, and says what became of it. */
export async function changeTasks(
  path: (name: ChangeName) => string,
  change: Change,
  ids: readonly string[],
  priority?: number,
): Promise<boolean> {
  try {
    let count = 0
    const refused: Changed['refused'][number][] = []
    for (let at = 0; at < ids.length; at += MOST_IDS) {
      const body = {
        ids: ids.slice(at, at + MOST_IDS),
        ...(priority !== undefined && { priority }),
      }
      const answer = await post<Changed>(path(change.name), body)
      count += answer.changed.length
      refused.push(...answer.refused)
    }
    sayChanged(change, count, refused, refused.length)
    return true
  } catch (error) {
    const { message, hint } = problemOf(error)
    say(message, { isBad: true, details: hint ? [hint] : [] })
    return false
  }
}

export function sayChanged(
  change: Change,
  count: number,
  refused: Changed['refused'],
  refusedCount: number,
): void {
  const done = change.done(count)
  if (refusedCount === 0) return say(done)
  const details = [...new Set(refused.map(({ message }) => message))].slice(0, MOST_TOLD)
  say(`${done}, ${WORDS.whatRefused(refusedCount)}`, { isBad: true, details })
}
