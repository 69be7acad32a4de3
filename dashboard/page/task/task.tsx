import type { JSX } from 'preact'
import type { ChangeName, Listed, Whole } from '../../api/wire'
import { pathOf, useAround, usePath } from '../frame/context'
import { useKeys } from '../frame/keys'
import { goTo, linkTo, linkToList } from '../frame/place'
import { Copy, Json } from '../parts/json'
import { Excerpt, Failure } from '../parts/excerpt'
import { instant } from '../parts/format'
import { Ago, Empty, QueueLink, Stale, State, Unread } from '../parts/parts'
import { shown } from '../parts/shown'
import { live } from '../server/live'
import { useLive } from '../server/use'
import { Buttons } from '../tasks/buttons'
import { changesFor, changeTasks } from '../tasks/changes'
import { WORDS } from '../words'
import { Errors } from './errors'
import { Flow } from './flow'
import { ProgressBar } from './progress'
import { Timeline } from './timeline'

/** All of one task. */
export function OneTask({ id }: { readonly id: string }): JSX.Element {
  const path = usePath(`tasks/${encodeURIComponent(id)}`)
  const { value: task, problem } = useLive<Whole>(path)
  useKeys({ Escape: () => goTo(linkToList()) })
  if (!task)
    return (
      <>
        <Unread problem={problem} />
        {problem ? (
          <p class="empty">
            <a href={linkToList()}>{WORDS.noTask}</a>
          </p>
        ) : null}
      </>
    )
  return (
    <article>
      <Stale problem={problem} />
      <Head task={task} path={path} />
      <div class="columns">
        <div>
          <Timeline task={task} />
          {task.flow ? <Flow flow={task.flow} /> : null}
        </div>
        <div>
          {task.status === 'FAILED' ? <Errors task={task} /> : null}
          <Values task={task} />
          {task.status === 'FAILED' ? null : <Errors task={task} />}
        </div>
      </div>
      <Latest task={task} />
    </article>
  )
}

function Head({ task, path }: { readonly task: Whole; readonly path: string }): JSX.Element {
  const { overview, backend } = useAround()
  const changePath = (name: ChangeName): string => pathOf(`tasks/${name}`, backend.alias)
  return (
    <>
      <p class="crumbs">
        <a href={linkToList()}>{WORDS.pages.tasks}</a> /{' '}
        <a href={linkTo('tasks', [['task', task.task]])}>{shown(task.task)}</a>
      </p>
      <h1>
        {shown(task.task)} <State task={task} />
      </h1>
      <p class="facts">
        <span>
          <code>{task.id}</code> <Copy text={task.id} name="id" />
        </span>
        <span>
          Queue <QueueLink name={task.queueName} />
        </span>
        <span>
          Priority <b>{task.priority}</b>
        </span>
        <span>
          Attempts <b>{task.attempts}</b>
        </span>
      </p>
      {task.status === 'RUNNING' ? <ProgressBar task={task} /> : null}
      <p class="bar">
        <Buttons
          changes={changesFor(overview.permissions, [task])}
          count={1}
          make={(change, priority) =>
            void changeTasks(changePath, change, [task.id], priority).then(() => live.again(path))
          }
        />
      </p>
    </>
  )
}

function Values({ task }: { readonly task: Whole }): JSX.Element {
  return (
    <>
      <Json name={WORDS.arguments} value={task.args} />
      {isEmpty(task.kwargs) ? null : <Json name={WORDS.kwargs} value={task.kwargs} />}
      {task.status === 'SUCCESSFUL' ? <Json name={WORDS.result} value={task.returnValue} /> : null}
    </>
  )
}

function Latest({ task }: { readonly task: Whole }): JSX.Element {
  const others = task.latest.filter(({ id }) => id !== task.id)
  return (
    <section>
      <h2>
        {WORDS.latest}{' '}
        <a class="aside" href={linkTo('tasks', [['task', task.task]])}>
          {WORDS.all}
        </a>
      </h2>
      {others.length === 0 ? <Empty what="It is the only one." /> : <Others tasks={others} />}
    </section>
  )
}

function Others({ tasks }: { readonly tasks: readonly Listed[] }): JSX.Element {
  return (
    <ul class="others">
      {tasks.map((each) => (
        <li key={each.id}>
          <State task={each} />
          <span>
            <span class="line">
              <a href={linkTo(`tasks/${each.id}`)}>
                {each.enqueuedAt === null ? each.id : instant(each.enqueuedAt)}
              </a>
              <Excerpt task={each} />
            </span>
            <Failure task={each} />
          </span>
          <Ago at={each.enqueuedAt} />
        </li>
      ))}
    </ul>
  )
}

function isEmpty(value: unknown): boolean {
  // Hidden values are hidden once: with the arguments.
  if (typeof value !== 'object') return true
  return value === null || Object.keys(value).length === 0
}
