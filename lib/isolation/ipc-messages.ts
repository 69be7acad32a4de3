import { type TasksError } from '../errors/errors'
import { WorkerStops } from '../errors/run-errors'
import { LeaseLost } from '../errors/run-errors'
import { TaskCancelled } from '../errors/run-errors'
import { TimeLimitExceeded } from '../errors/run-errors'
import { type ErrorRecord, MAX_TRACEBACK, storable } from '../errors/error-record'
import { isRecord, isWithin } from '../errors/option-checks'
import { encodeReturnValue } from '../arguments/json'
import type { Progress } from '../row/record'
import type { TraceContext } from '../row/trace'
import type { ClaimedRow, Outcome } from '../store'
import type { RunOutcome } from '../execution/run-outcome'

/** The limits of what the library itself sends: a NUL of a text takes six characters once it can be stored. */
const LONGEST_CLASS_PATH = 6 * 200
const LONGEST_TRACEBACK = 6 * MAX_TRACEBACK + 100
const LONGEST_NOTE = 6 * 1_000
/** The longest delay that every database can add to the present instant; tasks have a narrower limit. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** What a worker tells its child process. One run at a time: what is said of none is about the one that goes on. */
export type ToChild =
  | {
      readonly typeormTasks: 'load'
      readonly module: string
      /** JSON text. */ readonly options: string
    }
  | {
      readonly typeormTasks: 'run'
      /** Must be in all that is said of it: a task does not know it, so it cannot speak for its run, or for the next one. */
      readonly id: string
      /** The alias. */ readonly backend: string
      /** See `textOf`. */ readonly row: string
      /** Of the run itself, which the worker traces; absent: it does not. */
      readonly trace?: TraceContext
    }
  | { readonly typeormTasks: 'abort'; readonly reason: string }
  /** The answer to `completing`: what to commit; null: it must not be. */
  | { readonly typeormTasks: 'complete'; readonly outcome: Outcome | null }

/** What a child process tells its worker. */
export type FromChild =
  | { readonly typeormTasks: 'ready' }
  /** `isPassing`: only at present, as where the database takes no connections. */
  | { readonly typeormTasks: 'broken'; readonly error: ErrorRecord; readonly isPassing: boolean }
  /** An error that nothing caught, of which the process is about to die. */
  | {
      readonly typeormTasks: 'fault'
      readonly error: ErrorRecord
      /** A run that has ended left behind the code that threw. */
      readonly isOfEarlierRun: boolean
    }
  | RunMessage

/** What it tells of its run. */
export type RunMessage =
  /** The process has the run in hand; its transaction, if it has one, may still wait. */
  | { readonly typeormTasks: 'taken' }
  /** Whether the task has begun decides whether the end of the process is its failure. */
  | { readonly typeormTasks: 'began' }
  | { readonly typeormTasks: 'progress'; readonly progress: Progress }
  /** The transaction of the run is about to commit; it waits for the answer. */
  | { readonly typeormTasks: 'completing'; readonly returnValue: string | null }
  | { readonly typeormTasks: 'ended'; readonly runOutcome: RunOutcome }

/** How far the run in a child process is, by what the process said. */
export type RunStep = 'sent' | 'taken' | 'began' | 'completing'

/** Tasks may send messages of their own over the channel. */
export function isOurs(message: unknown): message is { readonly typeormTasks: unknown } {
  return typeof message === 'object' && message !== null && 'typeormTasks' in message
}

/** What a worker knows of a child process. */
export interface ChildState {
  readonly isLoaded: boolean
  /** The run that goes on. */
  readonly current: { readonly id: string; readonly step: RunStep } | undefined
}

/** How a message is read, and when there can be one. */
interface Reader {
  /** The steps of a run at which there can be one; or while the app is loaded; or always. */
  readonly steps: readonly RunStep[] | 'loading' | 'always'
  readonly read: (given: object, step: RunStep) => FromChild | undefined
}

const READERS: { readonly [Kind in FromChild['typeormTasks']]: Reader } = {
  ready: { steps: 'loading', read: () => ({ typeormTasks: 'ready' }) },
  broken: { steps: 'loading', read: brokenOf },
  fault: { steps: 'always', read: faultOf },
  taken: { steps: ['sent'], read: () => ({ typeormTasks: 'taken' }) },
  began: { steps: ['taken'], read: () => ({ typeormTasks: 'began' }) },
  progress: { steps: ['began', 'completing'], read: progressMessage },
  completing: { steps: ['began'], read: completingOf },
  ended: { steps: ['sent', 'taken', 'began', 'completing'], read: endedOf },
}

/**
 * The message of a child process, with nothing in it that was not checked: a task can send whatever it likes. Undefined for
 * what is no message of ours, or none for that state.
 */
export function messageOf(given: object, state: ChildState): FromChild | undefined {
  const kind: unknown = Reflect.get(given, 'typeormTasks')
  if (typeof kind !== 'string' || !Object.hasOwn(READERS, kind)) return undefined
  const { steps, read } = READERS[kind as FromChild['typeormTasks']]
  const { isLoaded, current } = state
  const isDue =
    typeof steps === 'string'
      ? steps === 'always' || !isLoaded
      : current !== undefined &&
        steps.includes(current.step) &&
        current.id === Reflect.get(given, 'id')
  return isDue ? read(given, current?.step ?? 'sent') : undefined
}

function brokenOf(given: object): FromChild | undefined {
  const error = errorOf(Reflect.get(given, 'error'))
  const isPassing: unknown = Reflect.get(given, 'isPassing')
  return error && typeof isPassing === 'boolean'
    ? { typeormTasks: 'broken', error, isPassing }
    : undefined
}

function faultOf(given: object): FromChild | undefined {
  const error = errorOf(Reflect.get(given, 'error'))
  const isOfEarlierRun = Reflect.get(given, 'isOfEarlierRun') === true
  return error && { typeormTasks: 'fault', error, isOfEarlierRun }
}

function progressMessage(given: object): FromChild | undefined {
  const progress = progressOf(Reflect.get(given, 'progress'))
  return progress && { typeormTasks: 'progress', progress }
}

function completingOf(given: object): FromChild | undefined {
  const returnValue = returnValueOf(Reflect.get(given, 'returnValue'))
  return returnValue === undefined ? undefined : { typeormTasks: 'completing', returnValue }
}

function endedOf(given: object, step: RunStep): FromChild | undefined {
  const outcome: unknown = Reflect.get(given, 'runOutcome')
  if (!isRecord(outcome)) return undefined
  const runOutcome =
    outcome['status'] === 'SUCCESSFUL' ? successOf(outcome, step) : failureOf(outcome, step)
  return runOutcome && { typeormTasks: 'ended', runOutcome }
}

function successOf(outcome: Record<string, unknown>, step: RunStep): RunOutcome | undefined {
  const returnValue = returnValueOf(outcome['returnValue'])
  if (returnValue === undefined) return undefined
  const isStored = outcome['isStored'] === true
  // Only what this worker has allowed to be stored can have been.
  if (isStored ? step !== 'completing' : step !== 'began') return undefined
  return { status: 'SUCCESSFUL', returnValue, ...(isStored && { isStored }) }
}

function failureOf(outcome: Record<string, unknown>, step: RunStep): RunOutcome | undefined {
  const { status, delay, isDueToStop, isCrash } = outcome
  const error = errorOf(outcome['error'])
  if (!error) return undefined
  if (status === 'NOT_BEGUN') return step === 'taken' ? { status, error } : undefined
  const isSound = delay === null || isWithin(delay, 0, LONGEST_DELAY_MS)
  return status === 'FAILED' && isSound && typeof isDueToStop === 'boolean'
    ? { status, error, delay: delay as number | null, isDueToStop, ...crashIn(isCrash, step) }
    : undefined
}

/** Only a run whose commit was allowed can have lost the connection by it. */
function crashIn(isCrash: unknown, step: RunStep): { isCrash?: true } {
  return isCrash === true && step === 'completing' ? { isCrash } : {}
}

function errorOf(given: unknown): ErrorRecord | undefined {
  if (!isRecord(given)) return undefined
  const { exceptionClassPath, traceback } = given
  return isText(exceptionClassPath, LONGEST_CLASS_PATH) && isText(traceback, LONGEST_TRACEBACK)
    ? { exceptionClassPath, traceback }
    : undefined
}

function progressOf(given: unknown): Progress | undefined {
  if (!isRecord(given)) return undefined
  const { done, total, note } = given
  return isFiniteNumber(done) &&
    (total === null || isFiniteNumber(total)) &&
    (note === null || isText(note, LONGEST_NOTE))
    ? { done, total, note }
    : undefined
}

/** JSON text, or null for none; undefined if the value could not be a return value. */
function returnValueOf(given: unknown): string | null | undefined {
  if (given === null) return null
  if (typeof given !== 'string') return undefined
  try {
    return encodeReturnValue(JSON.parse(given), '')
  } catch {
    return undefined
  }
}

function isFiniteNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

/** A text that every database can store. */
function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest && storable(value) === value
}

/** A row as JSON text. */
export function textOf(row: ClaimedRow): string {
  return JSON.stringify(row)
}

/** The row again; JSON has no instants. */
export function rowOf(text: string): ClaimedRow {
  const row = JSON.parse(text) as ClaimedRow
  const { enqueuedAt, startedAt, finishedAt, runAfter } = row.values
  return {
    ...row,
    values: {
      ...row.values,
      enqueuedAt: instant(enqueuedAt),
      startedAt: instant(startedAt),
      finishedAt: instant(finishedAt),
      runAfter: instant(runAfter),
    },
  }
}

/** The reason of that name, so that a task can tell by its class why it shall stop. */
export function reasonOf(name: string, timeLimit: number | null): TasksError {
  if (name === 'TimeLimitExceeded') return new TimeLimitExceeded(timeLimit ?? 0)
  if (name === 'TaskCancelled') return new TaskCancelled()
  return name === 'LeaseLost' ? new LeaseLost() : new WorkerStops()
}

function instant(time: Date | string | null): Date | null {
  return time === null ? null : new Date(time)
}
