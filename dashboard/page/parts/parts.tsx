import type { JSX } from 'preact'
import type { Listed, Problem } from '../../api/wire'
import { useAround } from '../frame/context'
import { linkTo } from '../frame/place'
import { now } from '../server/time'
import { useMode, useTicking } from '../server/use'
import { STATE_WORDS, WORDS } from '../words'
import { ago, instant, rough, span } from './format'
import { briefly, shown } from './shown'

/** What a task is, to people. */
export function stateOf(task: Pick<Listed, 'status' | 'isWaiting' | 'runAfter'>) {
  if (task.status !== 'READY') return task.status
  if (task.isWaiting) return 'WAITING'
  return task.runAfter !== null && Date.parse(task.runAfter) > now() ? 'LATER' : 'DUE'
}

export function State({
  task,
}: {
  readonly task: Pick<Listed, 'status' | 'isWaiting' | 'runAfter'>
}): JSX.Element {
  const state = stateOf(task)
  return <span class={`state ${state}`}>{STATE_WORDS[state]}</span>
}

/** How long ago an instant was, the instant itself under the mouse. */
export function Ago({ at }: { readonly at: string | null }): JSX.Element {
  const text = useTicking(() => ago(at))
  if (at === null) return <>–</>
  return (
    <time dateTime={at} title={instant(at)}>
      {text}
    </time>
  )
}

/** For how long something goes on, or went on. */
export function Took({
  from,
  to,
}: {
  readonly from: string
  readonly to: string | null
}): JSX.Element {
  return (
    <>
      {useTicking(() =>
        to === null ? rough(now() - Date.parse(from)) : span(Date.parse(to) - Date.parse(from)),
      )}
    </>
  )
}

export function ProblemBox({ problem }: { readonly problem: Problem }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <b>{shown(problem.message)}</b>
      {problem.hint ? <p>{shown(problem.hint)}</p> : null}
    </div>
  )
}

/** What kept a place from being read again; not while the page says at its top that all is away. */
export function Stale({ problem }: { readonly problem: Problem | undefined }): JSX.Element | null {
  const { backend } = useAround()
  const isAway = useMode() === 'away'
  return !problem || isAway || backend.problem ? null : <ProblemBox problem={problem} />
}

interface EmptyProps {
  readonly what: string
  readonly hint?: string
}

/** Where there is nothing: what to do. */
export function Empty({ what, hint }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <p>{what}</p>
      {hint ? <p>{hint}</p> : null}
    </div>
  )
}

/** What is shown until a value has come. */
export function Unread({ problem }: { readonly problem: Problem | undefined }): JSX.Element {
  return problem ? <ProblemBox problem={problem} /> : <p class="empty">{WORDS.reading}</p>
}

export function TaskLink({ task }: { readonly task: Listed }): JSX.Element {
  return (
    <a href={linkTo(`tasks/${task.id}`)} title={shown(task.task)}>
      {briefly(task.task)}
    </a>
  )
}

export function QueueLink({ name }: { readonly name: string }): JSX.Element {
  return <a href={linkTo('tasks', [['queue', name]])}>{briefly(name)}</a>
}
