import type { Listed } from '../../api/wire'

/** Names that are kept, the latest ones. */
const MOST = 500

const names = new Set<string>()

/** Remembers the names of tasks that the page has shown. */
export function noteNames(tasks: readonly Pick<Listed, 'task'>[]): void {
  for (const { task } of tasks) {
    names.delete(task)
    names.add(task)
  }
  for (const name of names) {
    if (names.size <= MOST) return
    names.delete(name)
  }
}

/** The names of tasks that the page has shown, in their order. */
export function knownNames(): readonly string[] {
  return [...names].toSorted()
}
