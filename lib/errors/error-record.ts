import { types } from 'node:util'
import { TasksError } from './errors'
import { PublicError } from './run-errors'

/** What is kept of an error: enough to show it, and nothing that could be executed. */
export interface ErrorRecord {
  /** The error's class, e.g. `TypeError`; `typeorm_tasks.…` for the library's own. */
  readonly exceptionClassPath: string
  /** The error's stack with its causes; ends with a newline, as Python's tracebacks do. */
  readonly traceback: string
}

/** The class path of a cancelled task, by which Django can tell it, too. */
export const CANCELLED = 'typeorm_tasks.TaskCancelled'
/** What the row of a task says that did not run because an earlier one of its flow failed. */
export const PREVIOUS_FAILED = 'typeorm_tasks.PreviousFailed'

/** The class path of a `PublicError`; one of a class that extends it has that class's name after this and a dot. */
export const PUBLIC = 'typeorm_tasks.PublicError'

/** A traceback is cut after so many characters: a message of megabytes helps nobody. */
export const MAX_TRACEBACK = 64 * 1024

export const MAX_CLASS_PATH = 200
const MAX_CAUSES = 5
/** So many errors of an AggregateError are recorded. */
const MAX_INNER = 3

/** Describes whatever was thrown: errors, strings, undefined, hostile proxies. Never throws itself. */
export function recordOf(error: unknown): ErrorRecord {
  return {
    exceptionClassPath: guarded(() => classPath(error), 'Error'),
    traceback: bounded(guarded(() => traceback(error), 'An error that cannot be shown')),
  }
}

/** `instanceof` for whatever may have been thrown: a revoked proxy throws at the very question. */
export function isA<Kind>(
  value: unknown,
  kind: abstract new (...given: never[]) => Kind,
): value is Kind {
  try {
    return value instanceof kind
  } catch {
    return false
  }
}

/** The first line of that, for a log. */
export function briefly(error: unknown): string {
  return recordOf(error).traceback.split('\n')[0] ?? ''
}

/** Why a file of the app does not load; a syntax error with its place, which the message lacks. */
export function loadFault(error: unknown): string {
  if (!(error instanceof Error)) return `it threw ${String(error)}`
  const place =
    error instanceof SyntaxError ? /^(\S+:\d+)$/m.exec(error.stack ?? '')?.[1] : undefined
  return `${nameAndMessage(error).split('\nRequire stack:')[0]}${place ? ` (${place})` : ''}`.replace(
    /\.$/,
    '',
  )
}

/** The line that says what failed: the first of a JavaScript stack, the last of a Python traceback. */
export function headline(error: ErrorRecord | undefined): string | undefined {
  const lines = error?.traceback.trimEnd().split('\n')
  // A group of Python's ends with the frame around its errors.
  if (lines?.[0]?.endsWith('Exception Group Traceback (most recent call last):'))
    return lines.find((line) => /^ +\| [\w.]+: /.test(line))?.replace(/^ +\| /, '')
  return lines?.at(lines[0] === 'Traceback (most recent call last):' ? -1 : 0)
}

function classPath(error: unknown): string {
  // That its message may be shown must be known of the row alone, whatever the app calls its class.
  if (error instanceof PublicError && error.name !== 'PublicError')
    return cut(`${PUBLIC}.${error.name}`, MAX_CLASS_PATH)
  if (error instanceof TasksError) return cut(`typeorm_tasks.${error.name}`, MAX_CLASS_PATH)
  if (typeof error !== 'object' || error === null) return 'Error'
  return cut(String(error.constructor?.name || 'Error'), MAX_CLASS_PATH)
}

function traceback(error: unknown, depth = 0): string {
  if (!isError(error)) return `Thrown, though no Error: ${plain(error)}`
  if (depth === MAX_CAUSES) return stackOf(error)
  const own = [stackOf(error), ...innerErrors(error, depth)]
  // A getter of the app's own error may throw.
  const cause = guarded<unknown>(() => error.cause, undefined)
  return cause === undefined
    ? own.join('\n')
    : `${own.join('\n')}\nCaused by: ${traceback(cause, depth + 1)}`
}

/** Those of an AggregateError, the first few. */
function innerErrors(error: Error, depth: number): string[] {
  const inner = guarded<unknown>(() => Reflect.get(error, 'errors'), undefined)
  if (depth > 1 || !Array.isArray(inner) || !isAggregate(error)) return []
  const told = inner
    .slice(0, MAX_INNER)
    .map((each, i) => `Error ${i + 1} of ${inner.length}: ${traceback(each, depth + 1)}`)
  return inner.length > MAX_INNER ? [...told, `… ${inner.length - MAX_INNER} more`] : told
}

/** By its name too: it may be of another realm, or one of a library's own. */
function isAggregate(error: Error): boolean {
  return (
    error instanceof AggregateError || partOf(error, 'name')?.endsWith('AggregateError') === true
  )
}

/** The stack alone misses a message that was changed after the error was made. */
function stackOf(error: Error): string {
  const stack = guarded<unknown>(() => error.stack, '')
  const message = partOf(error, 'message')
  const isWhole = message === undefined || String(stack).includes(message)
  if (typeof stack !== 'string' || stack === '') return nameAndMessage(error)
  return isWhole ? stack : `${nameAndMessage(error)}\n${stack}`.trimEnd()
}

/** `TypeError: what happened`, of whatever can be read of it: a name may be a symbol, and a getter may throw. */
export function nameAndMessage(error: Error): string {
  const { name = 'Error', message = 'its message cannot be read' } = {
    name: partOf(error, 'name'),
    message: partOf(error, 'message'),
  }
  return `${name}: ${message}`
}

function partOf(error: Error, part: 'name' | 'message'): string | undefined {
  return guarded<string | undefined>(() => String(error[part]), undefined)
}

/** Also one of another realm, as Node's own errors are under jest. */
function isError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error)
}

/** More values of something thrown are not written: that would take seconds, and is cut anyway. */
const MOST_VALUES = 10_000

function plain(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const name = Object.prototype.toString.call(value)
  let values = 0
  const counted = (key: string, each: unknown): unknown => {
    if (++values > MOST_VALUES) throw new RangeError('too many values')
    return withoutBytes(key, each)
  }
  try {
    return JSON.stringify(value, counted) ?? name
  } catch (error) {
    if (values > MOST_VALUES) return `${name}, too large to be shown`
    throw error
  }
}

/** Without the contents of typed arrays, which JSON would write as objects with a key for each byte. */
function withoutBytes(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value)
    ? `${Object.prototype.toString.call(value)}, ${value.byteLength} bytes`
    : value
}

function guarded<T = string>(describe: () => T, otherwise: T): T {
  try {
    return describe()
  } catch {
    return otherwise
  }
}

/** The mark of a text that was cut, with its whole length. */
const CUT = /\n… cut, (\d+) characters in all\n$/

/** The beginning of a text, if it is longer than `longest` characters, with a mark; it may have one of an earlier cut. */
export function bounded(text: string, longest = MAX_TRACEBACK): string {
  const [mark = '', length = text.length] = CUT.exec(text) ?? []
  const kept = text.slice(0, text.length - mark.length)
  if (kept.length <= longest) return storable(text.endsWith('\n') ? text : `${text}\n`)
  return storable(`${kept.slice(0, longest)}\n… cut, ${length} characters in all\n`)
}

/** The beginning of a text, which every database can store: a cut may leave half a surrogate pair. */
export function cut(text: string, length: number): string {
  return storable(text.slice(0, length)).slice(0, length)
}

/** PostgreSQL keeps no NUL in text, and no database half a surrogate pair, which is what a cut may leave. */
export function storable(text: string): string {
  return text.replaceAll('\u0000', '\\u0000').toWellFormed()
}
