import { dashed, instantOf, NO_DELAY, utcText } from '../../entities/formats'
import type { ErrorRecord } from '../../lib/errors/error-record'
import type { Progress, ResultValues, TaskStatus } from '../../lib/record'
import type { ClaimedRow } from '../../lib/store'

/** A row as the dialects' select lists give it: everything but numbers as text, instants in UTC. */
export interface RawRow {
  readonly row_key: string
  readonly status: string
  readonly args_kwargs: string | null
  readonly priority: number | string
  readonly task_path: string | null
  readonly worker_ids: string | null
  readonly queue_name: string | null
  readonly backend_name: string | null
  readonly run_after: string | null
  readonly enqueued_at: string | null
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly return_value: string | null
  readonly exception_class_path: string | null
  readonly traceback: string | null
  readonly claims: number | string | null
  readonly lease_until: string | null
  readonly cancel_requested_at: string | null
  readonly unique_key: string | null
  readonly attempt_errors: string | null
  readonly progress: string | null
  readonly options: string | null
}

/** What a claim may leave out: columns that say nothing while a row runs. */
type Silent =
  | 'status'
  | 'finished_at'
  | 'return_value'
  | 'exception_class_path'
  | 'traceback'
  | 'lease_until'
  | 'cancel_requested_at'
  | 'unique_key'

/** A row as a claim gives it. */
export type ClaimedRaw = Omit<RawRow, Silent> & Partial<Pick<RawRow, Silent>>

export interface HeldRow {
  readonly row_key: string
  readonly claims: number
}

export interface FinishRow extends HeldRow {
  readonly status: string
  readonly return_value: string | null
  readonly exception_class_path: string
  readonly traceback: string
  /** An error to append to those of earlier attempts, as JSON; null: none. */
  readonly attempt_error: string | null
  /** JSON; null leaves what is there. */
  readonly progress: string | null
  /** Milliseconds until the next attempt; null leaves run_after as it is. */
  readonly delay: number | null
}

export interface RenewRow extends HeldRow {
  readonly progress: string | null
}

/** Rows of one task: what differs from row to row, and what does not. */
export interface NewRows {
  readonly shared: SharedValues
  readonly calls: readonly { readonly row_key: string; readonly args_kwargs: string }[]
}

export interface SharedValues {
  readonly priority: number
  readonly task_path: string
  readonly queue_name: string
  readonly backend_name: string
  readonly run_after: string
  readonly unique_key: string | null
  readonly options: string | null
}

/** A row as it was just written. */
export function newRow(
  call: NewRows['calls'][number],
  shared: SharedValues,
  enqueuedAt: string,
): RawRow {
  return { ...NEW, ...shared, ...call, enqueued_at: enqueuedAt }
}

/** What a claimed row says, and what about it no worker can make sense of. */
export function claimedRow(raw: ClaimedRaw): ClaimedRow {
  const [call, workers, options] = [
    parsed(raw.args_kwargs),
    parsed(raw.worker_ids),
    parsed(raw.options),
  ]
  return {
    key: raw.row_key,
    claims: Number(raw.claims ?? 0),
    values: factsOf(raw, call, workers),
    cancelled: typeof raw.cancel_requested_at === 'string',
    malformed: faultOf(raw, call, workers),
    options: isObject(options) ? options : NO_OPTIONS,
  }
}

/** A row's facts; what is malformed reads as empty rather than breaking the whole. */
export function valuesOf(raw: ClaimedRaw): ResultValues {
  return factsOf(raw, parsed(raw.args_kwargs), parsed(raw.worker_ids))
}

function factsOf(raw: ClaimedRaw, call: unknown, workers: unknown): ResultValues {
  const { args, kwargs } = callOf(call)
  // Each by its name: a spread makes an object that is slow to make and to read (measured: a tenth of a worker's time).
  return {
    args,
    kwargs,
    id: dashed(raw.row_key),
    taskName: raw.task_path ?? '',
    status: (raw.status ?? 'RUNNING') as TaskStatus,
    enqueuedAt: instant(raw.enqueued_at),
    startedAt: instant(raw.started_at),
    finishedAt: instant(raw.finished_at ?? null),
    priority: Number(raw.priority),
    queueName: raw.queue_name ?? '',
    backend: raw.backend_name ?? '',
    runAfter: delayOf(raw.run_after),
    workerIds: Array.isArray(workers) ? workers.map(String) : [],
    errors: errorsOf(raw),
    returnValue: parsed(raw.return_value ?? null) ?? null,
    progress: (parsed(raw.progress) as Progress | undefined) ?? null,
  }
}

function callOf(call: unknown): Pick<ResultValues, 'args' | 'kwargs'> {
  if (!isObject(call)) return { args: [], kwargs: {} }
  return {
    args: Array.isArray(call['args']) ? call['args'] : [],
    kwargs: isObject(call['kwargs']) ? call['kwargs'] : {},
  }
}

/** The first thing about a row that keeps it from being run, or null. */
function faultOf(raw: ClaimedRaw, call: unknown, workers: unknown): string | null {
  if (!isObject(call)) return 'args_kwargs is no JSON object'
  if (!Array.isArray(call['args'])) return 'args_kwargs has no list "args"'
  if (!isObject(call['kwargs'])) return 'args_kwargs has no object "kwargs"'
  if (raw.queue_name === null) return 'queue_name is NULL'
  if (!isPriority(raw.priority))
    return `priority ${String(raw.priority)} is not a whole number from -100 to 100`
  return !Array.isArray(workers) || workers.every((worker) => typeof worker === 'string')
    ? null
    : 'worker_ids is not a list of texts'
}

function errorsOf(raw: ClaimedRaw): ErrorRecord[] {
  if (raw.attempt_errors === null && raw.status !== 'FAILED') return []
  const earlier = listOf(raw.attempt_errors)
    .filter(isObject)
    .map((error) => ({
      exceptionClassPath: textOf(error['exceptionClassPath']),
      traceback: textOf(error['traceback']),
    }))
  if (raw.status !== 'FAILED') return earlier
  return [
    ...earlier,
    { exceptionClassPath: raw.exception_class_path ?? '', traceback: raw.traceback ?? '' },
  ]
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isPriority(priority: number | string): boolean {
  const number = Number(priority)
  return Number.isInteger(number) && number >= -100 && number <= 100
}

function delayOf(runAfter: string | null): Date | null {
  if (runAfter === null || runAfter === NO_DELAY_TEXT) return null
  const at = instant(runAfter)
  return at === null || at.getTime() === NO_DELAY.getTime() ? null : at
}

function instant(text: string | null): Date | null {
  return text === null ? null : instantOf(text)
}

function listOf(text: string | null): unknown[] {
  const list = parsed(text)
  return Array.isArray(list) ? list : []
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const NO_OPTIONS: Readonly<Record<string, unknown>> = Object.freeze({})
/** As claims give it. */
const NO_DELAY_TEXT = `${utcText(NO_DELAY)}.000000`

/** What a new row says beside what it was given. */
const NEW = {
  status: 'READY',
  worker_ids: '[]',
  started_at: null,
  finished_at: null,
  return_value: null,
  exception_class_path: '',
  traceback: '',
  claims: 0,
  lease_until: null,
  cancel_requested_at: null,
  attempt_errors: null,
  progress: null,
}
