import type { JSX } from 'preact'
import type { WorkersView, WorkerView } from '../../api/wire'
import { usePath } from '../frame/context'
import { linkTo } from '../frame/place'
import { rough } from '../parts/format'
import { Ago, Empty, ProblemBox, Stale, TaskLink, Unread } from '../parts/parts'
import { briefly, shown } from '../parts/shown'
import { useLive } from '../server/use'
import { WORDS } from '../words'

/** Tasks of a worker that are named. */
const MOST_NAMED = 5
/** From this delay of its event loop on a worker is told to be slow, in ms. */
const SLOW_LOOP_MS = 200
/** Columns of numbers. */
const NUMBERS: ReadonlySet<string> = new Set(['Loop delay', 'Memory'])

/** The workers, and what they run. */
export function Workers(): JSX.Element {
  const { value, problem } = useLive<WorkersView>(usePath('workers'))
  return (
    <>
      <h1>{WORDS.pages.workers}</h1>
      {value ? (
        <>
          {value.problem ? <ProblemBox problem={value.problem} /> : null}
          <Stale problem={problem} />
          {value.workers?.length === 0 ? (
            <Empty what={WORDS.noWorkers} hint={WORDS.noWorkersHint} />
          ) : null}
          {value.workers && value.workers.length > 0 ? <Table workers={value.workers} /> : null}
        </>
      ) : (
        <Unread problem={problem} />
      )}
    </>
  )
}

function Table({ workers }: { readonly workers: readonly WorkerView[] }): JSX.Element {
  return (
    <table class="workers">
      <thead>
        <tr>
          {['Worker', 'Queues', 'Runs', 'Loop delay', 'Memory', 'Started', 'Last seen'].map(
            (name) => (
              <th key={name} scope="col" class={NUMBERS.has(name) ? 'number' : undefined}>
                {name}
              </th>
            ),
          )}
        </tr>
      </thead>
      <tbody>
        {workers.map((worker) => (
          <Row key={worker.id} worker={worker} />
        ))}
      </tbody>
    </table>
  )
}

function Row({ worker }: { readonly worker: WorkerView }): JSX.Element {
  const { id, host, pid, version, queues, eventLoopDelayMs, rssMib, isGone, seenMsAgo } = worker
  return (
    <tr class={isGone ? 'gone' : ''}>
      <th scope="row">
        <a href={linkTo('tasks', [['worker', id]])} title={shown(id)}>
          {briefly(host, 40)}
        </a>
        {isGone ? <span class="badge hot">{WORDS.gone}</span> : null}
        <small>
          pid {pid} · {shown(version)}
        </small>
      </th>
      <td data-label="queues">{briefly(queuesText(queues), 60)}</td>
      <td data-label="runs">
        <Runs worker={worker} />
      </td>
      <td class="number" data-label="loop delay">
        <span class={eventLoopDelayMs >= SLOW_LOOP_MS ? 'bad' : ''}>
          {Math.round(eventLoopDelayMs)} ms
        </span>
      </td>
      <td class="number" data-label="memory">
        {Math.round(rssMib)} MiB
      </td>
      <td data-label="started">
        <Ago at={worker.startedAt} />
      </td>
      <td data-label="last seen">
        {seenMsAgo < 1_000 ? WORDS.justNow : WORDS.ago(rough(seenMsAgo))}
      </td>
    </tr>
  )
}

function Runs({
  worker: { running, concurrency, tasks },
}: {
  readonly worker: WorkerView
}): JSX.Element {
  const some = tasks.slice(0, MOST_NAMED)
  return (
    <>
      <b>
        {running} / {concurrency}
      </b>
      {some.map((task) => (
        <small key={task.id}>
          <TaskLink task={task} />
        </small>
      ))}
      {tasks.length > some.length ? (
        <small>{WORDS.moreRunning(tasks.length - some.length)}</small>
      ) : null}
    </>
  )
}

/** `*` is all; after it those that it leaves alone. */
function queuesText([first, ...others]: readonly string[]): string {
  if (first !== '*') return [first, ...others].join(', ')
  return others.length === 0
    ? WORDS.allQueues
    : WORDS.but(others.map((name) => name.replace(/^-/, '')).join(', '))
}
