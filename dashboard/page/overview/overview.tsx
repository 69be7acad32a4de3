import type { JSX } from 'preact'
import type { QueueView } from '../../api/wire'
import { useAround } from '../frame/context'
import { linkTo } from '../frame/place'
import { count, rough } from '../parts/format'
import { Empty } from '../parts/parts'
import { shown } from '../parts/shown'
import { WORDS } from '../words'
import { Plots } from './plots'
import { QueueTable } from './queue-table'

/** What there is to do, and how it went. */
export function OverviewPage(): JSX.Element {
  const { backend } = useAround()
  const { queues } = backend
  return (
    <>
      <h1 class="unseen">{WORDS.pages.overview}</h1>
      {queues ? <Totals queues={queues} /> : null}
      {queues?.length === 0 ? <Empty what={WORDS.noQueues} hint={WORDS.noQueuesHint} /> : null}
      {queues && queues.length > 0 ? <QueueTable queues={queues} /> : null}
      {backend.problem ? null : <Plots />}
    </>
  )
}

function Totals({ queues }: { readonly queues: readonly QueueView[] }): JSX.Element {
  const sum = (of: (queue: QueueView) => number): number =>
    queues.reduce((total, queue) => total + of(queue), 0)
  const oldest = Math.max(...queues.map(({ oldestDueMs }) => oldestDueMs ?? -1), -1)
  const total = (state: string, name: string, number: number, note = ''): JSX.Element => (
    <a class={`total ${state}`} href={linkTo('tasks', [['state', state]])}>
      <b>{count(number)}</b> {name}
      <small>{note}</small>
    </a>
  )
  return (
    <div class="totals">
      {total(
        'RUNNING',
        'running',
        sum((queue) => queue.running),
      )}
      {total(
        'DUE',
        'due',
        sum((queue) => queue.due),
        oldest >= 1_000 ? shown(WORDS.oldest(rough(oldest))) : '',
      )}
      {total(
        'LATER',
        'later',
        sum((queue) => queue.later),
      )}
      {total(
        'WAITING',
        'waiting',
        sum((queue) => queue.waiting),
      )}
    </div>
  )
}
