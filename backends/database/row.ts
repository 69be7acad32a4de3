import { wholeOptions } from '../keys'
import { parsed, repeated } from '../parsed'
import type { ColumnName, StoredColumn } from '../../entities/columns'
import { dashed, instantOf, NO_DELAY, utcText, isParked } from '../../entities/formats'
import { type AttemptError, historyOf } from '../../lib/errors/history'
import { isRecord } from '../../lib/errors/option-checks'
import type { Progress, ResultValues, TaskStatus } from '../../lib/row/record'
import type { ClaimedRow, Outcome } from '../../lib/store'
import { SUSPECT_NUMBER, unreadableNumber } from '../../lib/arguments/json-numbers'

/** A row as the dialects' select lists give it: everything but numbers as text, instants in UTC. */
export type RawRow = RawValues<StoredColumn> & {
  readonly row_key: string
  readonly status: string
  readonly priority: number | string
}

/** A row as a claim gives it: it may leave out the columns that say nothing while a row runs. */
export type ClaimedRaw = Omit<
  Pick<RawRow, RawNameOf<Extract<StoredColumn, { inClaim: true }>>>,
  'enqueued_at' | 'started_at'
> &
  Partial<Pick<RawRow, RawNameOf<Extract<StoredColumn, { inClaim: false }>>>> & {
    /** As text, or in milliseconds since 1970. */
    readonly enqueued_at: string | number | null
    readonly started_at: string | number | null
    /** Why it cannot be run, apart from what its columns say. */
    readonly fault?: string
  }

/** The name in a raw row: the id is called `row_key`, since batches have it under that name too. */
export type RawNameOf<C extends StoredColumn> = C extends { kind: 'id' } ? 'row_key' : C['name']

export function rawNameOf(name: ColumnName): RawNameOf<StoredColumn> {
  return name === 'id' ? 'row_key' : name
}

type RawValues<C extends StoredColumn> = {
  readonly [Each in C as RawNameOf<Each>]: Each extends { kind: 'int' }
    ? number | string | null
    : string | null
}

/** A claimed row's id and its fence. */
export interface HeldRow {
  readonly row_key: string
  readonly claims: number
}

/** An outcome as the statements take it. */
export interface FinishRow extends HeldRow {
  readonly status: string
  readonly return_value: string | null
  readonly exception_class_path: string
  readonly traceback: string
  /** JSON of the errors of all attempts, of one that is followed by another; null leaves what is stored. */
  readonly attempt_errors: string | null
  /** JSON; null leaves the stored progress as it is. */
  readonly progress: string | null
  /** Milliseconds until the next attempt; null leaves `run_after` as it is. */
  readonly delay: number | null
}

export interface NoteRow extends HeldRow {
  /** JSON. */
  readonly progress: string
}

const NO_OPTIONS: Readonly<Record<string, unknown>> = Object.freeze({})
/** NO_DELAY as a claim gives it. */
const NO_DELAY_TEXT = `${utcText(NO_DELAY)}.000000`

/** The greatest number that the column `claims` holds. A claim stays at it in place of failing for all rows beside. */
export const MAX_CLAIMS = 2 ** 31 - 1

/** A claimed row for the worker. A row that no worker can run says why in `malformed`. */
export function claimedRow(raw: ClaimedRaw): ClaimedRow {
  const call = parsed(raw.args_kwargs)
  const workers = workersOf(raw.worker_ids)
  return {
    key: raw.row_key,
    claims: Number(raw.claims ?? 0),
    values: resultValues(raw, call, workers),
    cancelled: typeof raw.cancel_requested_at === 'string',
    malformed: raw.fault ?? malformedPart(raw, call, workers),
    bytes: raw.args_kwargs?.length ?? 0,
    options: optionsOf(wholeOptions(raw.options, raw.unique_key ?? null)),
  }
}

function optionsOf(text: string | null): ClaimedRow['options'] {
  return text === null ? NO_OPTIONS : readOptions(text)
}

const readOptions = repeated((options) => (isRecord(options) ? options : NO_OPTIONS))

/** A row of a lost worker, which may run again: values of a flow take their places among its arguments when it is claimed. */
export function expiredRow(raw: ClaimedRaw): ClaimedRow {
  const call = parsed(raw.args_kwargs)
  if (!isRecord(call) || openArguments(call['args']) === null) return claimedRow(raw)
  return claimedRow({ ...raw, args_kwargs: JSON.stringify(callOf(call)) })
}

/** The values of a result. A malformed column reads as empty, so that the rest of the row can be read. */
export function valuesOf(raw: ClaimedRaw): ResultValues {
  return resultValues(raw, parsed(raw.args_kwargs), workersOf(raw.worker_ids))
}

function resultValues(raw: ClaimedRaw, call: unknown, workers: unknown): ResultValues {
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
    isWaiting: raw.status === 'READY' && isParked(raw.run_after),
    workerIds: idsIn(workers),
    errors: errorsOf(raw),
    returnValue: parsed(raw.return_value ?? null) ?? null,
    progress: (parsed(raw.progress) as Progress | undefined) ?? null,
  }
}

function callOf(call: unknown): Pick<ResultValues, 'args' | 'kwargs'> {
  if (!isRecord(call)) return { args: [], kwargs: {} }
  const open = openArguments(call['args'])
  const args = open ? open['of'] : call['args']
  const kwargs = open ? open['kwargs'] : call['kwargs']
  return { args: Array.isArray(args) ? args : [], kwargs: isRecord(kwargs) ? kwargs : {} }
}

/** Arguments of a flow, of which some are known only when the row runs: those are null. */
function openArguments(args: unknown): Readonly<Record<string, unknown>> | null {
  return isRecord(args) && Array.isArray(args['of']) ? args : null
}

/** The first reason why the row cannot be run, or null. */
function malformedPart(raw: ClaimedRaw, call: unknown, workers: unknown): string | null {
  const badCall = malformedCall(raw.args_kwargs ?? '', call)
  if (badCall !== null) return badCall
  if (Number(raw.claims ?? 0) >= MAX_CLAIMS) return 'claims is at its greatest value'
  if (raw.queue_name === null) return 'queue_name is NULL'
  if (!isPriority(raw.priority))
    return `priority ${String(raw.priority)} is not a whole number from -100 to 100`
  if (Array.isArray(workers) && !isTexts(workers)) return 'worker_ids is not a list of texts'
  return historyIn(raw) === null ? 'attempt_errors is not a list of errors' : null
}

function malformedCall(text: string, call: unknown): string | null {
  if (!isRecord(call)) return 'args_kwargs is no JSON object'
  if (!Array.isArray(call['args'])) return 'args_kwargs has no list "args"'
  if (!isRecord(call['kwargs'])) return 'args_kwargs has no object "kwargs"'
  const number = SUSPECT_NUMBER.test(text) ? unreadableNumber(text) : null
  return number === null
    ? null
    : `args_kwargs has the number ${number}, which JavaScript cannot hold: pass it as text`
}

const NO_ERRORS: readonly AttemptError[] = Object.freeze([])

function errorsOf(raw: ClaimedRaw): readonly AttemptError[] {
  const earlier = historyIn(raw) ?? NO_ERRORS
  if (raw.status !== 'FAILED') return earlier
  return [
    ...earlier,
    { exceptionClassPath: raw.exception_class_path ?? '', traceback: raw.traceback ?? '' },
  ]
}

/** Null if what is stored is no history. */
function historyIn({ attempt_errors: text }: ClaimedRaw): readonly AttemptError[] | null {
  return text === null ? NO_ERRORS : historyOf(parsed(text))
}

function isPriority(priority: number | string): boolean {
  const number = Number(priority)
  return Number.isInteger(number) && number >= -100 && number <= 100
}

function delayOf(runAfter: string | null): Date | null {
  if (runAfter === null || runAfter === NO_DELAY_TEXT || isParked(runAfter)) return null
  const at = instant(runAfter)
  return at === null || at.getTime() === NO_DELAY.getTime() ? null : at
}

const readWorkers = repeated((workers) => workers)

function workersOf(text: string | null): unknown {
  return text === null ? undefined : readWorkers(text)
}

const NO_IDS: readonly string[] = Object.freeze([])

function idsIn(workers: unknown): readonly string[] {
  if (!Array.isArray(workers)) return NO_IDS
  return isTexts(workers) ? (workers as readonly string[]) : workers.map(String)
}

function isTexts(list: readonly unknown[]): boolean {
  return list.every((each) => typeof each === 'string')
}

function instant(at: string | number | null): Date | null {
  if (typeof at === 'number') return new Date(at)
  return at === null ? null : instantOf(at)
}

/** An outcome as the statements take it. */
export function finishRow(outcome: Outcome): FinishRow {
  const isRetry = outcome.status === 'READY'
  const error = outcome.status === 'FAILED' ? outcome.error : undefined
  return {
    row_key: outcome.key,
    claims: outcome.claims,
    status: outcome.status,
    return_value: outcome.status === 'SUCCESSFUL' ? outcome.returnValue : null,
    exception_class_path: error?.exceptionClassPath ?? '',
    traceback: error?.traceback ?? '',
    progress: outcome.progress ?? null,
    attempt_errors: isRetry ? JSON.stringify(outcome.errors) : null,
    delay: isRetry ? outcome.delay : null,
  }
}

/** Databases promise no order for the rows that an UPDATE returns. */
export function inDjangosOrder(a: ClaimedRow, b: ClaimedRow): number {
  const delayed = (row: ClaimedRow): number =>
    row.values.runAfter?.getTime() ?? Number.POSITIVE_INFINITY
  const enqueued = (row: ClaimedRow): number => row.values.enqueuedAt?.getTime() ?? 0
  return (
    b.values.priority - a.values.priority ||
    compare(delayed(a), delayed(b)) ||
    compare(enqueued(a), enqueued(b)) ||
    compare(a.values.id, b.values.id)
  )
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
