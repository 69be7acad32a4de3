import { utcText } from '../../entities/formats'
import { historyOf, withRetry } from '../../lib/errors/history'
import { isRecord } from '../../lib/errors/option-checks'
import { PARKED, UNDELAYED } from '../database/enqueueing/shared-values'
import type { ClaimedRaw, RawRow } from '../database/row'
import { keyAfter } from '../keys'
import { parsed } from '../parsed'
import { priorityOf, queueNameOf } from './names'

/**
 * Fields of a job's hash that are ours. BullMQ leaves them alone, and deletes them with the job. All of them are absent from a
 * job that has not been claimed twice.
 */
export const FIELD = {
  /** JSON: the errors of earlier attempts, as the column `attempt_errors`. */
  errors: 'tasks:errors',
  /** JSON: ids of workers, up to the claim of `until`. */
  workers: 'tasks:workers',
  /** The number of the last claim that `workers` tells of. */
  until: 'tasks:until',
  /** Milliseconds since 1970 before which the next attempt is not due; 0: it is due at once. */
  due: 'tasks:due',
  /** Milliseconds since 1970 when somebody asked for its end. */
  cancel: 'tasks:cancel',
  /** JSON: `{ exceptionClassPath, traceback }`, of a job that is failed. */
  error: 'tasks:error',
  /** Of a member of a flow: its key, as the column `unique_key`. */
  member: 'tasks:member',
  /** JSON: what `options` says of a flow, where the key does not say all of it. */
  flow: 'tasks:flow',
} as const

/** In which of BullMQ's collections a job is: `parked` is `waiting-children`, `waiting` any other in which it waits. */
export type JobState = 'waiting' | 'parked' | 'active' | 'completed' | 'failed'

/** Of a job: its hash, and where it is. */
export interface Job {
  readonly id: string
  /** BullMQ's name of its queue. */
  readonly queue: string
  readonly state: JobState
  readonly fields: Readonly<Record<string, string | undefined>>
}

const STATUS = {
  waiting: 'READY',
  parked: 'READY',
  active: 'RUNNING',
  completed: 'SUCCESSFUL',
  failed: 'FAILED',
} as const

/** The greatest time that a Date holds. */
const LAST_MS = 8.64e15

const NO_OPTIONS = '{"v":1,"options":null,'

/** A job's data: what `args_kwargs` and `options` are in a table. `argsKwargs`: `{"args": […], "kwargs": {…}}`. */
export function dataOf(argsKwargs: string, options: string | null): string {
  return `{"v":1,"options":${options ?? 'null'},${argsKwargs.slice(1)}`
}

/** The options in a job's data, as JSON; null: none. */
export function optionsIn(data: string): string | null {
  if (data.startsWith(NO_OPTIONS)) return null
  const envelope = parsed(data)
  const options = isRecord(envelope) ? envelope['options'] : null
  return isRecord(options) ? JSON.stringify(options) : null
}

/** What the data of a job begins with. */
export const OUR_DATA = '{"v":1,'

/** Why a job is none of ours; undefined: it is one, or is malformed in a way that any row may be. */
export function faultOf(data: string): string | undefined {
  if (data.startsWith(OUR_DATA) || !isRecord(parsed(data))) return undefined
  return 'its data is not of typeorm-tasks: another program has added the job'
}

/** A job as the row of a table, which the rest of the library knows how to read. */
export function rawOf(job: Job, alias: string): RawRow & { readonly fault?: string } {
  const { id, queue, state, fields } = job
  const data = fields['data'] ?? ''
  const fault = faultOf(data)
  const error = errorOf(job)
  return {
    row_key: id,
    status: STATUS[state],
    priority: priorityOf(queue, Number(fields['priority'] ?? 0)),
    task_path: fields['name'] ?? '',
    queue_name: queueNameOf(queue),
    backend_name: alias,
    args_kwargs: data,
    options: optionsIn(data),
    enqueued_at: text(fields['timestamp']),
    started_at: startedAt(job),
    finished_at: text(fields['finishedOn']),
    run_after: runAfterOf(job),
    return_value: returnValueOf(job),
    exception_class_path: error.exceptionClassPath,
    traceback: error.traceback,
    attempt_errors: errorsOf(job),
    worker_ids: JSON.stringify(workersOf(job)),
    claims: Number(fields['ats'] ?? 0),
    lease_until: null,
    cancel_requested_at: cancelledAt(job),
    progress: progressOf(fields['progress']),
    unique_key: keyOf(job),
    ...(fault === undefined ? {} : { fault }),
  }
}

/** A job that has just been claimed. Its instants stay numbers, which are read much faster than text. */
export function claimedRawOf(job: Job, alias: string): ClaimedRaw {
  const { id, queue, fields } = job
  const data = fields['data'] ?? ''
  const fault = faultOf(data)
  return {
    row_key: id,
    status: STATUS.active,
    priority: priorityOf(queue, Number(fields['priority'] ?? 0)),
    task_path: fields['name'] ?? '',
    queue_name: queueNameOf(queue),
    backend_name: alias,
    args_kwargs: data,
    options: optionsIn(data),
    enqueued_at: msOf(fields['timestamp']),
    started_at: msOf(fields['processedOn']),
    run_after: runAfterOf(job),
    attempt_errors: errorsOf(job),
    worker_ids: JSON.stringify(workersOf(job)),
    claims: Number(fields['ats'] ?? 0),
    lease_until: null,
    cancel_requested_at: null,
    progress: progressOf(fields['progress']),
    unique_key: keyOf(job),
    ...(fault === undefined ? {} : { fault }),
  }
}

/** Whether a job is of a flow, so that the code of flows is needed. */
export function isOfFlow({ fields }: Pick<Job, 'fields'>): boolean {
  return fields[FIELD.flow] !== undefined || fields[FIELD.member] !== undefined
}

/**
 * Those that `FIELD.workers` names, and that of the latest claim, which BullMQ names. What somebody wrote in place of a list
 * stays, so that the row is found to be malformed.
 */
export function workersOf({ state, fields }: Job): readonly unknown[] {
  const earlier = listOf(fields[FIELD.workers])
  if (state === 'waiting' || state === 'parked') return earlier
  const isTold = Number(fields['ats'] ?? 0) <= Number(fields[FIELD.until] ?? 0)
  // One that is active and told of was to be given back, and was not.
  return isTold && state !== 'active' ? earlier : [...earlier, fields['pb'] ?? '']
}

function listOf(text: string | undefined): readonly unknown[] {
  if (text === undefined) return []
  const value = text === 'null' ? null : (parsed(text) ?? text)
  return Array.isArray(value) ? (value as unknown[]) : [value]
}

/**
 * JSON: the errors of earlier attempts. Of a job that a dashboard of BullMQ has put back, why it failed last is still where it was then.
 */
export function errorsOf({ state, fields }: Job): string | null {
  const errors = fields[FIELD.errors] ?? null
  if (fields[FIELD.error] === undefined || state === 'failed') return errors
  const earlier = historyOf(errors === null ? null : parsed(errors))
  const last = parsed(fields[FIELD.error] ?? null)
  if (!earlier || !isRecord(last)) return errors
  const { exceptionClassPath, traceback } = last
  const record = { exceptionClassPath: String(exceptionClassPath), traceback: String(traceback) }
  return JSON.stringify(withRetry(earlier, record))
}

function errorOf({ state, fields }: Job): { exceptionClassPath: string; traceback: string } {
  if (state !== 'failed') return { exceptionClassPath: '', traceback: '' }
  const error = parsed(fields[FIELD.error] ?? null)
  if (isRecord(error))
    return {
      exceptionClassPath: String(error['exceptionClassPath']),
      traceback: String(error['traceback']),
    }
  // Failed by something else, such as a dashboard of BullMQ.
  return { exceptionClassPath: 'Error', traceback: fields['failedReason'] ?? '' }
}

function startedAt(job: Job): string | null {
  return workersOf(job).length > 0 ? text(job.fields['processedOn']) : null
}

function returnValueOf({ state, fields }: Job): string | null {
  return state === 'completed' ? (fields['returnvalue'] ?? null) : null
}

function cancelledAt({ state, fields }: Job): string | null {
  return state === 'active' ? text(fields[FIELD.cancel]) : null
}

function runAfterOf({ state, fields }: Job): string {
  if (state === 'parked') return PARKED
  const due = fields[FIELD.due]
  if (due !== undefined) return due === '0' ? UNDELAYED : (text(due) ?? UNDELAYED)
  const delay = delayOf(fields['opts'] ?? '')
  return delay === 0 ? UNDELAYED : (text(String(Number(fields['timestamp']) + delay)) ?? UNDELAYED)
}

/** As it was asked for: BullMQ sets the job's own to 0 once it is over. It is below 0 for a time that was past already. */
function delayOf(opts: string): number {
  const asked = opts.includes('"delay":') ? parsed(opts) : null
  return isRecord(asked) ? Number(asked['delay'] ?? 0) : 0
}

/** BullMQ's own is 0 where nothing was reported. */
function progressOf(progress: string | undefined): string | null {
  return progress?.startsWith('{') ? progress : null
}

function keyOf({ state, fields }: Job): string | null {
  const member = fields[FIELD.member]
  if (member !== undefined) return member
  const key = fields['deid'] ?? null
  if (state === 'waiting' || state === 'parked') return key
  const claimed = keyAfter('claim', key)
  return state === 'active' ? claimed : keyAfter('finish', claimed)
}

/** Null for what another program wrote in place of a time. */
function text(ms: string | undefined): string | null {
  const at = msOf(ms)
  return at === null ? null : instant(at)
}

function msOf(ms: string | undefined): number | null {
  const at = ms === undefined || ms === '' ? Number.NaN : Number(ms)
  return Math.abs(at) <= LAST_MS ? at : null
}

function instant(ms: number): string {
  return utcText(new Date(ms))
}
