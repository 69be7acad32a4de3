/** What a value is about. Each has few values: those of one are bounded by `BoundedLabels`. */
export type Label = 'backend' | 'queue' | 'task' | 'outcome' | 'error' | 'verb'

export type Labels = { readonly [Name in Label]?: string }

/** One metric, under its names. Times are in seconds. */
export interface Metric {
  /** In OpenTelemetry; by its conventions for messaging where they have one. */
  readonly name: string
  /** In UCUM, as OpenTelemetry has units. */
  readonly unit: string
  /** In Prometheus. */
  readonly prometheus: string
  readonly help: string
  readonly labels: readonly Label[]
  /** What several processes come to as one, where it is not the sum. */
  readonly together?: 'max' | 'sum'
  /** `messaging.operation.name`, where the conventions ask for it. */
  readonly operation?: 'send' | 'process'
}

/** A metric of times. */
export interface TimeMetric extends Metric {
  /** The upper limits of its buckets. */
  readonly buckets: readonly number[]
  /** More of them, beyond those of the conventions; in Prometheus alone, where nothing else changes them. */
  readonly longer?: readonly number[]
}

/** Of the conventions for messaging. */
const CONVENTIONAL = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const LONGER = [30, 60, 300, 900, 3600]

export const SENT: Metric = {
  name: 'messaging.client.sent.messages',
  unit: '{message}',
  prometheus: 'typeorm_tasks_sent_total',
  help: 'Tasks that were enqueued by this process.',
  labels: ['queue', 'task'],
  operation: 'send',
}

export const SENDING: TimeMetric = {
  name: 'messaging.client.operation.duration',
  unit: 's',
  prometheus: 'typeorm_tasks_send_seconds',
  help: 'Time of a call that enqueues.',
  labels: ['queue', 'error'],
  operation: 'send',
  buckets: CONVENTIONAL,
}

export const STARTED: Metric = {
  name: 'messaging.client.consumed.messages',
  unit: '{message}',
  prometheus: 'typeorm_tasks_started_total',
  help: 'Runs that this process has started.',
  labels: ['queue', 'task'],
  operation: 'process',
}

export const WAIT: TimeMetric = {
  name: 'typeorm_tasks.wait.duration',
  unit: 's',
  prometheus: 'typeorm_tasks_wait_seconds',
  help: 'Time from when a task was due to the start of its run.',
  labels: ['queue', 'task'],
  buckets: [...CONVENTIONAL, ...LONGER],
}

export const RUN: TimeMetric = {
  name: 'messaging.process.duration',
  unit: 's',
  prometheus: 'typeorm_tasks_run_seconds',
  help: 'Time of a run.',
  labels: ['queue', 'task', 'error'],
  operation: 'process',
  buckets: CONVENTIONAL,
  longer: LONGER,
}

export const ENDED: Metric = {
  name: 'typeorm_tasks.runs',
  unit: '{run}',
  prometheus: 'typeorm_tasks_runs_total',
  help: 'Runs that have ended, by their outcome: successful, failed, or retry.',
  labels: ['queue', 'task', 'outcome', 'error'],
}

export const RETRIES: Metric = {
  name: 'typeorm_tasks.retries',
  unit: '{run}',
  prometheus: 'typeorm_tasks_retries_total',
  help: 'Runs that failed and are followed by another one.',
  labels: ['queue', 'task'],
}

export const RESCUES: Metric = {
  name: 'typeorm_tasks.rescues',
  unit: '{task}',
  prometheus: 'typeorm_tasks_rescues_total',
  help: 'Tasks that this process has taken over from lost workers: requeued, or failed.',
  labels: ['backend', 'outcome'],
}

export const LOST: Metric = {
  name: 'typeorm_tasks.lost',
  unit: '{run}',
  prometheus: 'typeorm_tasks_lost_total',
  help: 'Runs whose result is discarded, since this process has lost the lease of their row.',
  labels: ['queue', 'task'],
}

export const BOOKKEEPING: TimeMetric = {
  name: 'typeorm_tasks.bookkeeping.duration',
  unit: 's',
  prometheus: 'typeorm_tasks_bookkeeping_seconds',
  help: 'Time of what a worker asks its database.',
  labels: ['backend', 'verb', 'error'],
  buckets: CONVENTIONAL,
}

export const LOOP_DELAY: Metric = {
  name: 'typeorm_tasks.event_loop.delay',
  unit: 's',
  prometheus: 'typeorm_tasks_event_loop_delay_seconds',
  help: "The 99th percentile of the event loop's delay since the last look.",
  labels: [],
  together: 'max',
}

export const SLOTS_USED: Metric = {
  name: 'typeorm_tasks.slots.used',
  unit: '{run}',
  prometheus: 'typeorm_tasks_slots_used',
  help: 'Tasks that the workers of this process run now.',
  labels: ['backend'],
}

export const SLOTS: Metric = {
  name: 'typeorm_tasks.slots.limit',
  unit: '{run}',
  prometheus: 'typeorm_tasks_slots',
  help: 'Tasks that the workers of this process may run at a time.',
  labels: ['backend'],
}

export const QUEUE_DUE: Metric = {
  name: 'typeorm_tasks.queue.due',
  unit: '{task}',
  prometheus: 'typeorm_tasks_queue_due',
  help: 'Tasks of the queue that are due and wait for a worker; at most 10000.',
  labels: ['backend', 'queue'],
  together: 'max',
}

export const QUEUE_WAITING: Metric = {
  name: 'typeorm_tasks.queue.waiting',
  unit: '{task}',
  prometheus: 'typeorm_tasks_queue_waiting',
  help: 'Tasks of the queue that wait for others of their flow; at most 10000.',
  labels: ['backend', 'queue'],
  together: 'max',
}

export const QUEUE_RUNNING: Metric = {
  name: 'typeorm_tasks.queue.running',
  unit: '{task}',
  prometheus: 'typeorm_tasks_queue_running',
  help: 'Tasks of the queue that run, in any process; at most 10000.',
  labels: ['backend', 'queue'],
  together: 'max',
}

export const QUEUE_AGE: Metric = {
  name: 'typeorm_tasks.queue.oldest_due_age',
  unit: 's',
  prometheus: 'typeorm_tasks_queue_oldest_due_age_seconds',
  help: 'For how long the oldest task of the queue has been due; 0: none is.',
  labels: ['backend', 'queue'],
  together: 'max',
}

export const QUEUE_FAULTS: Metric = {
  name: 'typeorm_tasks.queue.look_faults',
  unit: '{fault}',
  prometheus: 'typeorm_tasks_queue_look_faults_total',
  help: 'Looks at the queues that failed: then the metrics of queues are absent.',
  labels: ['backend', 'error'],
}
