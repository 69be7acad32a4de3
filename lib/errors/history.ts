import { bounded, type ErrorRecord, MAX_CLASS_PATH } from './error-record'
import { isRecord } from './option-checks'

/** So many errors are kept of the first attempts, and so many of the last ones. */
export const FIRST_ERRORS = 10
const LAST_ERRORS = 10
/** The most bytes of JSON that they take together. */
const MAX_BYTES = 64 * 1024
/** The most characters of a `traceparent`. */
const MAX_TRACE = 64
/** The most bytes of JSON that a character takes. */
const WORST_CHARACTER = 6
/** Each step of shortening leaves so much of the longest texts. */
const SHORTER = 0.7
/**
 * From this number of worker ids on, an attempt that is to be followed by another takes off the one at `WORKER_LEFT_OUT`, so
 * that the first and the last ones stay.
 */
export const MOST_WORKERS = 100
export const WORKER_LEFT_OUT = 10

const WORKER_LOST = 'typeorm_tasks.WorkerLost'

/** One entry of the column `attempt_errors`. */
export interface AttemptError extends ErrorRecord {
  /**
   * The worker was lost, which is no failure of the task. False for a `WorkerLost` that the task itself threw; one without
   * this mark is that of a lost worker.
   */
  readonly crash?: boolean
  /** The task was retried by hand after this error: neither it nor those before it count any more. */
  readonly retried?: true
  /** This entry stands for errors that are left out. */
  readonly omitted?: Omitted
  /** The `traceparent` of the run, only of the first one that has any: later runs link to it. */
  readonly trace?: string
}

/** What a history leaves out. */
interface Omitted extends Tally {
  readonly errors: number
  /** Entries that are left out of `worker_ids`. */
  readonly workers: number
  /** The task was retried by hand among these: the errors before them count no more. */
  readonly afresh?: true
}

/** What counts against a task. */
export interface Tally {
  readonly failures: number
  /** Lost workers. */
  readonly crashes: number
}

const NOTHING: Tally = { failures: 0, crashes: 0 }

/** The attempts that a history is about. */
interface Attempts {
  readonly errors: readonly AttemptError[]
  readonly workerIds: readonly string[]
}

/** Counts what stands against a task since it was enqueued, or retried by hand. */
export function tallyOf(history: readonly AttemptError[]): Tally {
  return history.reduce(counted, NOTHING)
}

/** Whether the latest attempt lost its worker. */
export function endsByCrash(history: readonly AttemptError[]): boolean {
  const latest = history.at(-1)
  return latest !== undefined && latest.retried !== true && isCrash(latest)
}

/** How many errors and worker ids a history leaves out. */
export function omittedOf(history: readonly AttemptError[]): { errors: number; workers: number } {
  let [errors, workers] = [0, 0]
  for (const { omitted } of history) {
    errors += omitted?.errors ?? 0
    workers += omitted?.workers ?? 0
  }
  return { errors, workers }
}

/** The errors of a history, without what only the library needs. */
export function errorsIn(history: readonly AttemptError[]): ErrorRecord[] {
  return history
    .filter(({ omitted }) => omitted === undefined)
    .map(({ exceptionClassPath, traceback }) => ({ exceptionClassPath, traceback }))
}

/** The history after one more error, of an attempt that is followed by another: of a bounded size, however many there were. */
export function withError({ errors, workerIds }: Attempts, error: AttemptError): AttemptError[] {
  return shortened(selected([...errors, error], workerIds.length - workersAfter(workerIds).length))
}

/** The same for an error of the task. */
export function withFailure(
  attempts: Attempts,
  { exceptionClassPath, traceback }: ErrorRecord,
): AttemptError[] {
  const isThrown = exceptionClassPath === WORKER_LOST
  return withError(attempts, {
    exceptionClassPath,
    traceback,
    ...(isThrown && { crash: false }),
  })
}

/** The worker ids of a task whose history gets one more error. The SQL of the dialects does the same. */
export function workersAfter<Id>(workerIds: readonly Id[]): readonly Id[] {
  return workerIds.length < MOST_WORKERS ? workerIds : workerIds.toSpliced(WORKER_LEFT_OUT, 1)
}

/** The history, whose last error is of the run of that trace. */
export function withTrace(errors: readonly AttemptError[], trace: string): readonly AttemptError[] {
  const last = errors.at(-1)
  if (!last || errors.some((error) => error.trace !== undefined)) return errors
  return [...errors.slice(0, -1), { ...last, trace }]
}

/** The history of a task that failed for good and is retried by hand. */
export function withRetry(
  errors: readonly AttemptError[],
  { exceptionClassPath, traceback }: ErrorRecord,
): AttemptError[] {
  return shortened(selected([...errors, { exceptionClassPath, traceback, retried: true }], 0))
}

/** The history that somebody stored, or null if it is none. Where there are no errors nothing is stored. */
export function historyOf(value: unknown): readonly AttemptError[] | null {
  if (value === null) return []
  return Array.isArray(value) && value.every(isEntry) ? value.map(entryIn) : null
}

type Entry = Readonly<Record<string, unknown>> & { readonly omitted?: Omitted }

function isEntry(value: unknown): value is Entry {
  if (!isRecord(value)) return false
  const { omitted } = value
  return (
    omitted === undefined || (isRecord(omitted) && COUNTS.every((name) => isCount(omitted[name])))
  )
}

/** Only what is known of an entry: what others wrote beside it would have no bound. */
function entryIn(entry: Entry): AttemptError {
  const { exceptionClassPath, traceback, crash, retried, omitted, trace } = entry
  return {
    exceptionClassPath: textOf(exceptionClassPath),
    traceback: textOf(traceback),
    ...(typeof crash === 'boolean' && { crash }),
    ...(retried === true && { retried }),
    ...(omitted && { omitted: omittedIn(omitted) }),
    ...(typeof trace === 'string' && trace.length <= MAX_TRACE && { trace }),
  }
}

function omittedIn({ errors, workers, failures, crashes, afresh }: Omitted): Omitted {
  return { errors, workers, failures, crashes, ...(afresh === true && { afresh }) }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

const COUNTS: readonly Exclude<keyof Omitted, 'afresh'>[] = [
  'errors',
  'workers',
  'failures',
  'crashes',
]

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function counted(tally: Tally, error: AttemptError): Tally {
  const { omitted, retried } = error
  if (retried) return NOTHING
  if (omitted) return omitted.afresh ? omitted : sum(tally, omitted)
  return sum(tally, isCrash(error) ? { failures: 0, crashes: 1 } : { failures: 1, crashes: 0 })
}

function isCrash({ crash, exceptionClassPath }: AttemptError): boolean {
  return crash ?? exceptionClassPath === WORKER_LOST
}

function sum(one: Tally, other: Tally): Tally {
  return {
    failures: one.failures + other.failures,
    crashes: one.crashes + other.crashes,
  }
}

/** The first and the last errors, and one entry for those between. `workers`: how many worker ids more are left out. */
function selected(entries: readonly AttemptError[], workers: number): AttemptError[] {
  const isLong = entries.length > FIRST_ERRORS + LAST_ERRORS || workers > 0
  if (!isLong) return [...entries]
  const errors = entries.filter(({ omitted }) => omitted === undefined)
  const between = errors.slice(FIRST_ERRORS, Math.max(FIRST_ERRORS, errors.length - LAST_ERRORS))
  const leftOut = foldedOf([...entries.filter(({ omitted }) => omitted), ...between], workers)
  if (leftOut.errors === 0 && leftOut.workers === 0) return errors
  return [
    ...errors.slice(0, FIRST_ERRORS),
    entryOf(leftOut),
    ...errors.slice(FIRST_ERRORS + between.length),
  ]
}

function foldedOf(entries: readonly AttemptError[], workers: number): Omitted {
  const { failures, crashes } = tallyOf(entries)
  const isAfresh = entries.some(({ omitted, retried }) => retried ?? omitted?.afresh)
  return {
    errors: entries.reduce((count, { omitted }) => count + (omitted?.errors ?? 1), 0),
    workers: workers + omittedOf(entries).workers,
    failures,
    crashes,
    ...(isAfresh && { afresh: true }),
  }
}

/** In the form of an error, for programs that read the column. */
function entryOf(omitted: Omitted): AttemptError {
  return {
    exceptionClassPath: 'typeorm_tasks.ErrorsOmitted',
    traceback: `${omitted.errors} errors are left out here.\n`,
    omitted,
  }
}

/** Cuts the longest texts until all of them fit. */
function shortened(history: AttemptError[]): AttemptError[] {
  let characters = 0
  for (const { exceptionClassPath, traceback } of history)
    characters += 100 + exceptionClassPath.length + traceback.length
  if (characters * WORST_CHARACTER <= MAX_BYTES) return history
  let short = history
  for (let longest = MAX_BYTES; sizeOf(short) > MAX_BYTES && longest > 1;) {
    longest = Math.floor(longest * SHORTER)
    short = history.map((entry) => cutEntry(entry, longest))
  }
  return short
}

function cutEntry(entry: AttemptError, longest: number): AttemptError {
  const exceptionClassPath = entry.exceptionClassPath.slice(0, MAX_CLASS_PATH).toWellFormed()
  return { ...entry, exceptionClassPath, traceback: bounded(entry.traceback, longest) }
}

function sizeOf(history: readonly AttemptError[]): number {
  return Buffer.byteLength(JSON.stringify(history))
}
