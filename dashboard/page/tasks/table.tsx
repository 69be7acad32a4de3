import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { Listed } from '../../api/wire'
import { Excerpt, Failure } from '../parts/excerpt'
import { Ago, QueueLink, State, stateOf, TaskLink, Took } from '../parts/parts'
import { shown } from '../parts/shown'
import { WORDS } from '../words'

export interface Choice {
  readonly chosen: ReadonlySet<string>
  readonly choose: (ids: readonly string[], is: boolean) => void
}

interface TableProps extends Choice {
  readonly tasks: readonly Listed[]
  readonly gone: ReadonlySet<string>
  /** The task that the keys are at. */
  readonly at: string | null
  readonly mayChoose: boolean
}

export function Table({ tasks, gone, at, mayChoose, chosen, choose }: TableProps): JSX.Element {
  const ids = tasks.map(({ id }) => id)
  return (
    <table class="tasks">
      <thead>
        <tr>
          {mayChoose ? (
            <th scope="col" class="check">
              <input
                type="checkbox"
                aria-label={WORDS.chooseAll}
                checked={ids.length > 0 && ids.every((id) => chosen.has(id))}
                onChange={({ currentTarget }) => choose(ids, currentTarget.checked)}
              />
            </th>
          ) : null}
          {['State', 'Task', 'Queue', 'Attempts', 'Enqueued', 'Ran'].map((name) => (
            <th key={name} scope="col" class={NUMBERS.has(name) ? 'number' : undefined}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {tasks.map((task) => (
          <Row
            key={task.id}
            task={task}
            isAt={task.id === at}
            isGone={gone.has(task.id)}
            isChosen={mayChoose ? chosen.has(task.id) : null}
            choose={(is) => choose([task.id], is)}
          />
        ))}
      </tbody>
    </table>
  )
}

/** Columns of numbers. */
const NUMBERS: ReadonlySet<string> = new Set(['Attempts', 'Ran'])

interface RowProps {
  readonly task: Listed
  readonly isAt: boolean
  readonly isGone: boolean
  /** Null: nobody may choose. */
  readonly isChosen: boolean | null
  readonly choose: (is: boolean) => void
}

function Row({ task, isAt, isGone, isChosen, choose }: RowProps): JSX.Element {
  const row = useRef<HTMLTableRowElement>(null)
  useEffect(() => {
    if (isAt) row.current?.scrollIntoView({ block: 'nearest' })
  }, [isAt])
  const classes = [isAt && 'at', isGone && 'gone', isChosen && 'chosen'].filter(Boolean).join(' ')
  return (
    <tr ref={row} class={classes}>
      {isChosen === null ? null : (
        <td class="check">
          <input
            type="checkbox"
            aria-label={WORDS.choose(shown(task.task))}
            checked={isChosen}
            onChange={({ currentTarget }) => choose(currentTarget.checked)}
          />
        </td>
      )}
      <td>
        <State task={task} />
      </td>
      <td class="name">
        <span class="line">
          <TaskLink task={task} />
          <Excerpt task={task} />
        </span>
        <Failure task={task} />
        {task.status === 'RUNNING' ? <Bar task={task} /> : null}
      </td>
      <td>
        <QueueLink name={task.queueName} />
        {task.priority === 0 ? null : <small>priority {task.priority}</small>}
      </td>
      <td class="number">{task.attempts}</td>
      <td>
        <Ago at={task.enqueuedAt} />
        {stateOf(task) === 'LATER' ? (
          <small>
            due <Ago at={task.runAfter} />
          </small>
        ) : null}
      </td>
      <td class="number">
        <Ran task={task} />
      </td>
    </tr>
  )
}

function Ran({ task: { startedAt, finishedAt, status } }: { readonly task: Listed }): JSX.Element {
  if (startedAt === null || status === 'READY') return <>–</>
  return <Took from={startedAt} to={finishedAt} />
}

/** How far a running task is, as it says. */
export function Bar({
  task: { progress },
}: {
  readonly task: Pick<Listed, 'progress'>
}): JSX.Element | null {
  if (!progress) return null
  const { done, total, note } = progress
  return (
    <small class="progress">
      <progress value={done} {...(total === null ? {} : { max: total })} aria-label="Progress" />
      {total === null ? done : `${done} / ${total}`} {note ? shown(note) : ''}
    </small>
  )
}
