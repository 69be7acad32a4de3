import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Whole } from './api'
import { useLive } from './live'
import { linkTo } from './place'
import { outcomeOf, Status } from './tasks'
import { ago } from './words'

/** All of one task. */
export function OneTask({ id }: { readonly id: string }): JSX.Element {
  const { value, error, again } = useLive<Whole>(`tasks/${encodeURIComponent(id)}`)
  const [said, setSaid] = useState('')
  if (!value) return <p class="empty">{error ?? 'Reading…'}</p>
  const change = async (what: 'retry' | 'cancel'): Promise<void> => {
    setSaid(await outcomeOf(what, [id]))
    again()
  }
  return (
    <article>
      <h1>{value.task}</h1>
      <p class="bar">
        <Status task={value} />
        {value.progress?.note}
        <Buttons status={value.status} change={change} />
        <output>{error ?? said}</output>
      </p>
      <Facts task={value} />
      <Json name="Arguments" value={value.args} />
      {isEmpty(value.kwargs) ? null : <Json name="Keyword arguments" value={value.kwargs} />}
      {value.status === 'SUCCESSFUL' ? <Json name="Result" value={value.returnValue} /> : null}
      <Errors errors={value.errors} />
    </article>
  )
}

interface ButtonsProps {
  readonly status: Whole['status']
  readonly change: (what: 'retry' | 'cancel') => Promise<void>
}

function Buttons({ status, change }: ButtonsProps): JSX.Element | null {
  if (status === 'SUCCESSFUL') return null
  const what = status === 'FAILED' ? 'retry' : 'cancel'
  return (
    <button type="button" onClick={() => void change(what)}>
      {what === 'retry' ? 'Retry' : 'Cancel'}
    </button>
  )
}

function Facts({ task }: { readonly task: Whole }): JSX.Element {
  return (
    <dl>
      <Fact name="Id" value={task.id} />
      <dt>Queue</dt>
      <dd>
        <a href={linkTo('tasks', { queue: task.queueName })}>{task.queueName}</a>, priority{' '}
        {task.priority}
      </dd>
      <When name="Enqueued" at={task.enqueuedAt} />
      <When name="Due" at={task.runAfter} />
      <When name="Started" at={task.startedAt} />
      <When name="Finished" at={task.finishedAt} />
      <Fact name="Attempts" value={String(task.attempts)} />
      <Fact name="Workers" value={task.workerIds.join(', ') || '–'} />
    </dl>
  )
}

/** The newest first. */
function Errors({ errors }: Pick<Whole, 'errors'>): JSX.Element {
  return (
    <>
      {errors
        .map(({ exceptionClassPath, traceback }, i) => (
          <section key={i}>
            <h2>
              Attempt {i + 1}: {exceptionClassPath}
            </h2>
            <pre>{traceback}</pre>
          </section>
        ))
        .toReversed()}
    </>
  )
}

function Fact({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}

function When({ name, at }: { readonly name: string; readonly at: string | null }): JSX.Element {
  return (
    <>
      <dt>{name}</dt>
      <dd>{at === null ? '–' : <time dateTime={at}>{`${at} (${ago(at)})`}</time>}</dd>
    </>
  )
}

function Json({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  return (
    <section>
      <h2>{name}</h2>
      <pre>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
    </section>
  )
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}
