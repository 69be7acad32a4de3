import type { ComponentChildren, JSX } from 'preact'
import type { QueueView } from '../../api/wire'
import { linkTo } from '../frame/place'
import { count, instant, rough } from '../parts/format'
import { Ago, QueueLink } from '../parts/parts'
import { shown } from '../parts/shown'
import { WORDS } from '../words'

interface QueueTableProps {
  readonly queues: readonly QueueView[]
  /** What stands at the end of each row. */
  readonly action?: (queue: QueueView) => ComponentChildren
}

export function QueueTable({ queues, action }: QueueTableProps): JSX.Element {
  return (
    <table class="queues">
      <thead>
        <tr>
          {['Queue', 'Due', 'Oldest due', 'Running', 'Later', 'Waiting'].map((name) => (
            <th key={name} scope="col" class={name === 'Queue' ? '' : 'number'}>
              {name}
            </th>
          ))}
          {action ? <th scope="col" aria-label="Changes" /> : null}
        </tr>
      </thead>
      <tbody>
        {queues.map((queue) => (
          <tr key={queue.name}>
            <th scope="row">
              <QueueLink name={queue.name} />
              <Badges queue={queue} />
            </th>
            <Number queue={queue} state="DUE" number={queue.due} />
            <td class="number" data-label="oldest">
              {queue.oldestDueMs === null ? '–' : rough(queue.oldestDueMs)}
            </td>
            <Number queue={queue} state="RUNNING" number={queue.running} />
            <Number queue={queue} state="LATER" number={queue.later} />
            <Number queue={queue} state="WAITING" number={queue.waiting} />
            {action ? <td class="actions">{action(queue)}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface NumberProps {
  readonly queue: QueueView
  readonly state: 'DUE' | 'RUNNING' | 'LATER' | 'WAITING'
  readonly number: number
}

function Number({ queue: { name }, state, number }: NumberProps): JSX.Element {
  return (
    <td class="number" data-label={state.toLowerCase()}>
      {number === 0 ? (
        <span class="faint">0</span>
      ) : (
        <a
          href={linkTo('tasks', [
            ['state', state],
            ['queue', name],
          ])}
        >
          {count(number)}
        </a>
      )}
    </td>
  )
}

function Badges({
  queue: { paused, isServed, due, running },
}: {
  readonly queue: QueueView
}): JSX.Element {
  const isLeft = isServed === false && due + running > 0
  return (
    <>
      {paused ? (
        <span class="badge warm" title={paused.reason ? shown(paused.reason) : undefined}>
          {WORDS.paused} <Ago at={paused.at} />
          {paused.until ? `, ${WORDS.pausedUntil(instant(paused.until))}` : ''}
        </span>
      ) : null}
      {isServed === false ? (
        <span class={`badge ${isLeft ? 'hot' : ''}`} title={WORDS.notServedHint}>
          {WORDS.notServed}
        </span>
      ) : null}
      {paused?.reason ? <small>{shown(paused.reason)}</small> : null}
    </>
  )
}
