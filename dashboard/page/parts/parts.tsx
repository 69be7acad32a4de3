import type { ComponentChildren, JSX } from 'preact'
import type { Listed, Problem } from '../../api/wire'
import { useAround, useIsTold } from '../frame/context'
import { linkTo } from '../frame/place'
import { now } from '../server/time'
import { useTicking } from '../server/use'
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

/** What kept a place from being read again. */
export function Stale({ problem }: { readonly problem: Problem | undefined }): JSX.Element | null {
  const { backend } = useAround()
  const isTold = useIsTold(problem) || backend.problem !== null
  return !problem || isTold ? null : <ProblemBox problem={problem} />
}

interface EmptyProps {
  readonly what: string
  readonly hint?: string
  readonly children?: ComponentChildren
}

/** Where there is nothing: what to do. */
export function Empty({ what, hint, children }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <p>{what}</p>
      {hint ? <p>{hint}</p> : null}
      {children}
    </div>
  )
}

/** What is shown until a value has come. */
export function Unread({ problem }: { readonly problem: Problem | undefined }): JSX.Element | null {
  const isTold = useIsTold(problem)
  if (!problem) return isTold ? null : <p class="empty">{WORDS.reading}</p>
  return isTold ? null : <ProblemBox problem={problem} />
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
