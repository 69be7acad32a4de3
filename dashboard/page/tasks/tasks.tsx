import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Listed } from '../../api/wire'
import { useAround, usePath } from '../frame/context'
import { useKeys } from '../frame/keys'
import { goTo, linkTo, noteList, type Place, taskLeft } from '../frame/place'
import { minute } from '../parts/format'
import { Empty, Stale, Unread } from '../parts/parts'
import { shown } from '../parts/shown'
import { CHANGES, WORDS } from '../words'
import { Chosen } from './chosen'
import { type Filter, filterIn } from './filter'
import { type Draft, FilterBar, NO_DRAFT, useDraft } from './filter-bar'
import { noteNames } from './known'
import { type List, useList } from './list'
import { NoneFound } from './none-found'
import { type Choice, Table } from './table'

/** The top of the list counts as seen up to so many pixels. */
const NEAR_TOP = 40

/** A list of tasks, the newest first. */
export function Tasks({ filter: search }: Place): JSX.Element {
  const filter = filterIn(search)
  const path = usePath('tasks', Object.fromEntries(filter))
  const { permissions } = useAround().overview
  const choice = useChoice(path)
  const [isPointedAt, setPointedAt] = useState(false)
  const isDown = useIsDown()
  const list = useList(path, isPointedAt || isDown || choice.chosen.size > 0)
  const { tasks = [] } = list
  const at = useRowKeys(tasks, choice)
  const [draft, write] = useDraft(filter)
  useEffect(() => noteList(search), [search])
  useEffect(() => noteNames(tasks), [list.tasks])
  return (
    <>
      <h1 class="unseen">{WORDS.pages.tasks}</h1>
      <FilterBar filter={filter} draft={draft} write={write} />
      {draft.text.trim() === '' ? (
        <Chosen key={path} filter={filter} tasks={tasks} choice={choice} />
      ) : (
        <NotApplied draft={draft} forget={() => write(NO_DRAFT)} />
      )}
      <Stale problem={list.tasks && list.problem} />
      <div onMouseEnter={() => setPointedAt(true)} onMouseLeave={() => setPointedAt(false)}>
        <New list={list} />
        {tasks.length > 0 ? (
          <Table
            tasks={tasks}
            gone={list.gone}
            at={at}
            mayChoose={CHANGES.some(({ needs }) => permissions.includes(needs))}
            {...choice}
          />
        ) : (
          <Nothing list={list} filter={filter} />
        )}
      </div>
      <End list={list} />
    </>
  )
}

interface NotAppliedProps {
  readonly draft: Draft
  readonly forget: () => void
}

/** In the place of what is done to all tasks of the list: whoever writes a filter does not mean those. */
function NotApplied({ draft: { text, bad }, forget }: NotAppliedProps): JSX.Element {
  return (
    <p class="bar chosen">
      {bad ? shown(WORDS.notShown(text.trim())) : WORDS.notApplied}
      <button type="button" class="plain" onClick={forget}>
        {WORDS.forget}
      </button>
    </p>
  )
}

/** The tasks that are chosen of a list. */
function useChoice(path: string): Choice {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => setChosen(new Set()), [path])
  return {
    chosen,
    choose: (ids, is) =>
      setChosen((before) => {
        const after = new Set(before)
        for (const id of ids)
          if (is) after.add(id)
          else after.delete(id)
        return after
      }),
  }
}

/** Whether the top of the page is out of sight. */
function useIsDown(): boolean {
  const [isDown, setDown] = useState(false)
  useEffect(() => {
    const look = (): void => setDown(scrollY > NEAR_TOP)
    addEventListener('scroll', look, { passive: true })
    return () => removeEventListener('scroll', look)
  }, [])
  return isDown
}

function useRowKeys(tasks: readonly Listed[], { chosen, choose }: Choice): string | null {
  const [at, setAt] = useState(taskLeft)
  const index = tasks.findIndex(({ id }) => id === at)
  const move = (by: number): void =>
    setAt(tasks[Math.min(tasks.length - 1, Math.max(0, index + by))]?.id ?? null)
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    x: () => at !== null && index >= 0 && choose([at], !chosen.has(at)),
    Enter: () => at !== null && index >= 0 && goTo(linkTo(`tasks/${at}`)),
    Escape: () => {
      setAt(null)
      choose([...chosen], false)
    },
  })
  return at
}

function New({ list: { newCount, showNew } }: { readonly list: List }): JSX.Element {
  return (
    <div class="new" aria-live="polite">
      {newCount > 0 ? (
        <button
          type="button"
          onClick={() => {
            showNew()
            scrollTo({ top: 0 })
          }}
        >
          ↑ {WORDS.newOnes(newCount)}
        </button>
      ) : null}
    </div>
  )
}

function Nothing({
  list,
  filter,
}: {
  readonly list: List
  readonly filter: Filter
}): JSX.Element | null {
  if (!list.tasks) return <Unread problem={list.problem} />
  if (list.next !== null) return null
  return filter.size > 0 ? (
    <NoneFound filter={filter} />
  ) : (
    <Empty what={WORDS.noTasks} hint={WORDS.noTasksHint} />
  )
}

/** What comes after the last task: older ones are read when it comes into sight, unless much was searched for few. */
function End({ list }: { readonly list: List }): JSX.Element | null {
  const { next, searchedTo, more, isReading, tasks } = list
  const button = useRef<HTMLButtonElement>(null)
  const isAuto = searchedTo === null && !list.problem
  useEffect(() => {
    const element = button.current
    if (!element || !isAuto) return
    const watcher = new IntersectionObserver(([seen]) => {
      if (seen?.isIntersecting) void more()
    })
    watcher.observe(element)
    return () => watcher.disconnect()
  })
  if (next === null) return tasks && tasks.length > 20 ? <p class="empty">{WORDS.end}</p> : null
  return (
    <p class="empty">
      {searchedTo === null ? '' : `${WORDS.searchedTo(minute(searchedTo))} `}
      <button ref={button} type="button" disabled={isReading} onClick={() => void more()}>
        {isReading ? WORDS.reading : isAuto ? WORDS.more : WORDS.searchOn}
      </button>
    </p>
  )
}
