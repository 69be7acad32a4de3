import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type TaskFact, taskFacts } from '../../index'
import { type BackendQueues, QueueLook } from './queues'
import {
  BOOKKEEPING,
  ENDED,
  type Labels,
  LOOP_DELAY,
  LOST,
  type Metric,
  QUEUE_AGE,
  QUEUE_DUE,
  QUEUE_FAULTS,
  QUEUE_RUNNING,
  QUEUE_WAITING,
  RESCUES,
  RETRIES,
  RUN,
  SENDING,
  SENT,
  SLOTS,
  SLOTS_USED,
  STARTED,
  type TimeMetric,
  WAIT,
} from './table'

export type Record = (value: number, labels: Labels) => void

/** One value of a metric that is looked at. */
export interface Sample {
  readonly value: number
  readonly labels: Labels
}

type Read = () => readonly Sample[] | Promise<readonly Sample[]>

/** What a library of metrics makes. */
export interface Meters {
  counter(metric: Metric): Record
  histogram(metric: TimeMetric): Record
  /** `read` is called when somebody collects. */
  gauge(metric: Metric, read: Read): void
}

/** The period in ms of the timer that measures the delay, which is part of what it measures. */
const PERIOD_MS = 20
const S_PER_NS = 1e-9
const MS = 1_000

/** Measures what the facts tell until the function that it gives back is called. */
export function measure(meters: Meters, { queues }: { readonly queues: boolean }): () => void {
  const disconnect = taskFacts.connect(listenerOf(meters))
  const stop = watchProcess(meters)
  if (queues) watchQueues(meters)
  return () => {
    disconnect()
    stop()
  }
}

function listenerOf(meters: Meters): (fact: TaskFact) => void {
  const [runs, sends, others] = [runsOf(meters), sendsOf(meters), othersOf(meters)]
  return (fact) => {
    if (fact.what === 'sent') sends(fact)
    else if (fact.what === 'started' || fact.what === 'ended') runs(fact)
    else others(fact)
  }
}

type Of<What extends TaskFact['what']> = Extract<TaskFact, { what: What }>

function sendsOf(meters: Meters): (fact: Of<'sent'>) => void {
  const [sent, sending] = [meters.counter(SENT), meters.histogram(SENDING)]
  return ({ queue, task, count, ms, error }) => {
    if (count > 0) sent(count, { queue, task })
    sending(ms / MS, { queue, error: error ?? '' })
  }
}

function runsOf(meters: Meters): (fact: Of<'started' | 'ended'>) => void {
  const [started, wait] = [meters.counter(STARTED), meters.histogram(WAIT)]
  const [ended, run, retries] = [
    meters.counter(ENDED),
    meters.histogram(RUN),
    meters.counter(RETRIES),
  ]
  return (fact) => {
    const { queue, task } = fact
    if (fact.what === 'started') {
      started(1, { queue, task })
      if (fact.waitMs !== null) wait(fact.waitMs / MS, { queue, task })
      return
    }
    const error = fact.error ?? ''
    ended(1, { queue, task, outcome: fact.outcome, error })
    if (fact.outcome === 'retry') retries(1, { queue, task })
    if (fact.runMs !== null) run(fact.runMs / MS, { queue, task, error })
  }
}

function othersOf(meters: Meters): (fact: Of<'lost' | 'rescued' | 'asked'>) => void {
  const [rescues, lost] = [meters.counter(RESCUES), meters.counter(LOST)]
  const bookkeeping = meters.histogram(BOOKKEEPING)
  return (fact) => {
    const { backend } = fact
    if (fact.what === 'lost') lost(1, { queue: fact.queue, task: fact.task })
    else if (fact.what === 'asked')
      bookkeeping(fact.ms / MS, { backend, verb: fact.verb, error: fact.error ?? '' })
    else {
      if (fact.requeued > 0) rescues(fact.requeued, { backend, outcome: 'requeued' })
      if (fact.failed > 0) rescues(fact.failed, { backend, outcome: 'failed' })
    }
  }
}

function watchProcess(meters: Meters): () => void {
  const delay = monitorEventLoopDelay({ resolution: PERIOD_MS })
  delay.enable()
  meters.gauge(LOOP_DELAY, () => {
    const value = Math.max(0, delay.percentile(99) * S_PER_NS - PERIOD_MS / MS)
    delay.reset()
    return [{ value, labels: {} }]
  })
  meters.gauge(SLOTS_USED, () => slots(({ running }) => running))
  meters.gauge(SLOTS, () => slots(({ concurrency }) => concurrency))
  return () => delay.disable()
}

/** The sum of all workers of each backend. */
function slots(valueOf: (worker: { running: number; concurrency: number }) => number): Sample[] {
  const sums = new Map<string, number>()
  for (const worker of taskFacts.workers)
    sums.set(worker.backend, (sums.get(worker.backend) ?? 0) + valueOf(worker))
  return [...sums].map(([backend, value]) => ({ value, labels: { backend } }))
}

function watchQueues(meters: Meters): void {
  const faults = meters.counter(QUEUE_FAULTS)
  const look = new QueueLook((backend, error) =>
    faults(1, { backend, error: error instanceof Error ? error.name : 'Error' }),
  )
  const show = (
    metric: Metric,
    valueOf: (queue: BackendQueues['queues'][number]) => number,
  ): void =>
    meters.gauge(metric, async () =>
      (await look.queues()).flatMap(({ backend, queues }) =>
        queues.map((queue) => ({ value: valueOf(queue), labels: { backend, queue: queue.name } })),
      ),
    )
  show(QUEUE_DUE, ({ due }) => due)
  show(QUEUE_WAITING, ({ waiting }) => waiting)
  show(QUEUE_RUNNING, ({ running }) => running)
  show(QUEUE_AGE, ({ oldestDueMs }) => (oldestDueMs ?? 0) / MS)
}
