import { useEffect, useState } from 'preact/hooks'
import type { Listed, Problem, TaskPageView } from '../../api/wire'
import { get, problemOf } from '../server/api'
import { useLive } from '../server/use'

/** The tasks on the page, the newest first. */
interface Rows {
  readonly path: string
  readonly tasks: readonly Listed[]
  /** Those that are not like the filter any more, and stay until nobody points at the list. */
  readonly gone: ReadonlySet<string>
  /** New ones that are not shown yet. */
  readonly newCount: number
  readonly older: Older | null
}

/** How far was looked for older tasks than those of the first page, and found. */
interface Older {
  readonly from: string
  readonly next: string | null
  readonly searchedTo: string | null
}

export interface List {
  readonly tasks: readonly Listed[] | undefined
  readonly problem: Problem | undefined
  readonly gone: ReadonlySet<string>
  readonly newCount: number
  readonly showNew: () => void
  readonly next: string | null
  readonly searchedTo: string | null
  readonly more: () => Promise<void>
  readonly isReading: boolean
}

/** The list under a path, kept up to date; while it is held, no row comes, goes or moves. */
export function useList(path: string, isHeld: boolean): List {
  const { value, problem } = useLive<TaskPageView>(path)
  const [rows, setRows] = useState<Rows | null>(null)
  const mine = rows?.path === path ? rows : null
  useEffect(() => {
    if (value) setRows((before) => next(before, path, value, isHeld))
  }, [path, value, isHeld])
  const end = mine?.older ?? value ?? NOWHERE
  const { trouble, ...reading } = useMore(path, mine && end.next, (page) =>
    setRows((before) => (before?.path === path ? joined(before, page) : before)),
  )
  return {
    ...(mine ?? { tasks: value?.tasks, gone: NONE, newCount: 0 }),
    ...reading,
    problem: problem ?? trouble,
    showNew: () => value && setRows((before) => next(before, path, value, false)),
    next: end.next,
    searchedTo: end.searchedTo,
  }
}

type More = Pick<List, 'more' | 'isReading'> & { readonly trouble: Problem | undefined }

/** Reads the tasks that come after a cursor, when somebody asks for them. */
function useMore(path: string, cursor: string | null, got: (page: TaskPageView) => void): More {
  const [trouble, setTrouble] = useState<Problem>()
  const [isReading, setReading] = useState(false)
  const more = async (): Promise<void> => {
    if (cursor === null || isReading) return
    setReading(true)
    try {
      got(await get<TaskPageView>(withCursor(path, cursor)))
      setTrouble(undefined)
    } catch (error) {
      setTrouble(problemOf(error))
    } finally {
      setReading(false)
    }
  }
  return { more, isReading, trouble }
}

const NOWHERE = { next: null, searchedTo: null }
const NONE: ReadonlySet<string> = new Set()

function next(before: Rows | null, path: string, page: TaskPageView, isHeld: boolean): Rows {
  if (!before || before.path !== path)
    return { path, tasks: page.tasks, gone: NONE, newCount: 0, older: null }
  return isHeld ? held(before, page) : renewed(before, page)
}

/** The same rows in the same places, with what they are now. */
function held(before: Rows, page: TaskPageView): Rows {
  const now = new Map(page.tasks.map((task) => [task.id, task]))
  const first = before.tasks[0]?.id ?? ''
  const gone = before.tasks.filter(({ id }) => !now.has(id) && isWithin(id, page, before.older))
  return {
    ...before,
    tasks: before.tasks.map((task) => now.get(task.id) ?? task),
    gone: new Set(gone.map(({ id }) => id)),
    newCount: page.tasks.filter(({ id }) => id > first).length,
  }
}

/** Ids tell when tasks were enqueued: what is older than the first page was read by hand, and stays. */
function renewed(before: Rows, page: TaskPageView): Rows {
  const { path, older } = before
  const stay = older ? before.tasks.filter(({ id }) => !isWithin(id, page, older)) : []
  return { path, tasks: [...page.tasks, ...stay], gone: NONE, newCount: 0, older }
}

/** Whether a task would be on the first page, if it were like the filter. */
function isWithin(id: string, { tasks, next: cursor }: TaskPageView, older: Older | null): boolean {
  const last = tasks.at(-1)?.id
  if (cursor === null) return older === null || id > older.from
  return last !== undefined && id >= last
}

function joined(before: Rows, page: TaskPageView): Rows {
  const known = new Set(before.tasks.map(({ id }) => id))
  const { next: cursor, searchedTo } = page
  const from = before.older?.from ?? before.tasks.at(-1)?.id ?? ''
  return {
    ...before,
    tasks: [...before.tasks, ...page.tasks.filter(({ id }) => !known.has(id))],
    older: { from, next: cursor, searchedTo },
  }
}

function withCursor(path: string, before: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}before=${encodeURIComponent(before)}`
}
