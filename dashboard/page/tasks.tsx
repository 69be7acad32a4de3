import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type Changed, get, type Listed, type Overview, type Page, post, STATUSES } from './api'
import { useLive } from './live'
import { linkTo, type Place } from './place'
import { ago, briefly, span } from './words'

const FILTERS = ['status', 'queue', 'task'] as const
type Filter = Readonly<Record<(typeof FILTERS)[number], string>>

/** A list of tasks, the newest first, with a filter that is the address. */
export function Tasks({ filter }: Place): JSX.Element {
  const of = (name: (typeof FILTERS)[number]): string => filter.get(name) ?? ''
  const given: Filter = { status: of('status'), queue: of('queue'), task: of('task') }
  const search = searchOf(given)
  const list = useList(search)
  const changes = useChanges(search, list.again)
  return (
    <>
      <Counts given={given} />
      <Bar given={given} {...changes} trouble={list.error} />
      {list.tasks.length === 0 ? (
        <p class="empty">{list.isRead ? emptyText(given) : 'Reading…'}</p>
      ) : (
        <Table tasks={list.tasks} {...changes} />
      )}
      {list.more ? (
        <button type="button" class="more" onClick={() => void list.more?.()}>
          Older ones
        </button>
      ) : null}
    </>
  )
}

interface List {
  readonly tasks: readonly Listed[]
  readonly isRead: boolean
  readonly error: string | undefined
  readonly again: () => void
  /** Reads older ones; undefined: there are none. */
  readonly more: (() => Promise<void>) | undefined
}

/** The newest tasks, read again and again, and before them those that somebody asked for. */
function useList(search: string): List {
  const { value, error, again } = useLive<Page>(`tasks?${search}`)
  const [older, setOlder] = useState<Page>({ tasks: [], next: null })
  useEffect(() => setOlder({ tasks: [], next: null }), [search])
  const newest = value?.tasks ?? []
  const seen = new Set(newest.map(({ id }) => id))
  const next = older.tasks.length > 0 ? older.next : (value?.next ?? null)
  return {
    tasks: [...newest, ...older.tasks.filter(({ id }) => !seen.has(id))],
    isRead: value !== undefined,
    error,
    again,
    more:
      next === null
        ? undefined
        : async () => {
            const page = await get<Page>(`tasks?${search}&before=${next}`)
            setOlder({ tasks: [...older.tasks, ...page.tasks], next: page.next })
          },
  }
}

interface Changes {
  readonly chosen: ReadonlySet<string>
  readonly choose: (id: string, is: boolean) => void
  readonly change: (what: 'retry' | 'cancel') => Promise<void>
  /** What became of the latest change. */
  readonly said: string
}

function useChanges(search: string, again: () => void): Changes {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [said, setSaid] = useState('')
  useEffect(() => setChosen(new Set()), [search])
  return {
    chosen,
    said,
    choose: (id, is) =>
      setChosen(new Set(is ? [...chosen, id] : [...chosen].filter((each) => each !== id))),
    change: async (what) => {
      setSaid(await outcomeOf(what, [...chosen]))
      setChosen(new Set())
      again()
    },
  }
}

/** Changes tasks, and says what became of it. */
export async function outcomeOf(what: 'retry' | 'cancel', ids: readonly string[]): Promise<string> {
  try {
    const { changed, refused } = await post<Changed>(`tasks/${what}`, { ids })
    const [first] = refused
    return `${changed.length} changed${first ? `, ${refused.length} not: ${first.message}` : ''}`
  } catch (failure) {
    return failure instanceof Error ? failure.message : String(failure)
  }
}

interface BarProps extends Changes {
  readonly given: Filter
  readonly trouble: string | undefined
}

/** What is looked for, and what is done to those that are chosen. */
function Bar({ given, chosen, change, said, trouble }: BarProps): JSX.Element {
  const field = (name: 'queue' | 'task', label: string): JSX.Element => (
    <label>
      {label}
      <input
        value={given[name]}
        onChange={({ currentTarget: { value } }) =>
          (location.hash = linkTo('tasks', { ...given, [name]: value }))
        }
      />
    </label>
  )
  const button = (what: 'retry' | 'cancel', label: string): JSX.Element => (
    <button type="button" disabled={chosen.size === 0} onClick={() => void change(what)}>
      {label} {chosen.size || ''}
    </button>
  )
  return (
    <form class="bar" onSubmit={(event) => event.preventDefault()} role="search">
      {field('queue', 'Queue')}
      {field('task', 'Task')}
      {button('retry', 'Retry')}
      {button('cancel', 'Cancel')}
      <output>{trouble ?? said}</output>
    </form>
  )
}

type TableProps = Pick<Changes, 'chosen' | 'choose'> & { readonly tasks: readonly Listed[] }

function Table({ tasks, chosen, choose }: TableProps): JSX.Element {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col" aria-label="Chosen" />
          <th scope="col">Task</th>
          <th scope="col">Status</th>
          <th scope="col">Queue</th>
          <th scope="col">Enqueued</th>
          <th scope="col">Ran</th>
        </tr>
      </thead>
      <tbody>
        {tasks.map((task) => (
          <Row
            key={task.id}
            task={task}
            isChosen={chosen.has(task.id)}
            choose={(is) => choose(task.id, is)}
          />
        ))}
      </tbody>
    </table>
  )
}

function searchOf(given: Filter): string {
  return new URLSearchParams(Object.entries(given).filter(([, value]) => value !== '')).toString()
}

function emptyText(given: Filter): string {
  return Object.values(given).some(Boolean)
    ? 'No task is like that among the newest 100,000.'
    : 'No tasks yet. What your app enqueues appears here.'
}

/** The numbers of tasks, each a link to them. */
function Counts({ given }: { readonly given: Filter }): JSX.Element {
  const { value } = useLive<Overview>('overview')
  const sum = (status: (typeof STATUSES)[number]): number =>
    value?.backends.reduce((total, { counts }) => total + counts[status], 0) ?? 0
  return (
    <nav class="counts" aria-label="By status">
      <a href={linkTo('tasks', { ...given, status: '' })} aria-current={!given.status}>
        All
      </a>
      {STATUSES.map((status) => (
        <a
          key={status}
          href={linkTo('tasks', { ...given, status })}
          aria-current={given.status === status}
          class={status}
        >
          {status} <b>{value ? sum(status) : '…'}</b>
        </a>
      ))}
    </nav>
  )
}

interface RowProps {
  readonly task: Listed
  readonly isChosen: boolean
  readonly choose: (is: boolean) => void
}

function Row({ task, isChosen, choose }: RowProps): JSX.Element {
  const { id, startedAt, finishedAt } = task
  const ran =
    startedAt === null
      ? '–'
      : span((finishedAt ? Date.parse(finishedAt) : Date.now()) - Date.parse(startedAt))
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={`Choose ${task.task} ${id}`}
          checked={isChosen}
          onChange={(event) => choose(event.currentTarget.checked)}
        />
      </td>
      <td>
        <a href={linkTo(`tasks/${id}`)} title={task.task}>
          {briefly(task.task, 60)}
        </a>
        {task.error ? <small class="error">{task.error}</small> : null}
      </td>
      <td>
        <Status task={task} />
      </td>
      <td>{task.queueName}</td>
      <td title={task.enqueuedAt ?? ''}>{ago(task.enqueuedAt)}</td>
      <td>{ran}</td>
    </tr>
  )
}

export function Status({
  task: { status, isWaiting, progress },
}: {
  readonly task: Pick<Listed, 'status' | 'isWaiting' | 'progress'>
}): JSX.Element {
  const isMoving = status === 'RUNNING' && progress !== null
  return (
    <>
      <span class={`status ${status}`}>{isWaiting ? 'WAITING' : status}</span>
      {isMoving ? (
        <progress
          value={progress.done}
          max={progress.total ?? undefined}
          title={progress.note ?? ''}
          aria-label={`${progress.done} of ${progress.total ?? 'unknown'}`}
        />
      ) : null}
    </>
  )
}
