import { NotSerializableError } from '../errors/errors'
import { adviceFor, shownType } from './json-advice'

/**
 * The largest JSON text of a task's arguments or of its return value, in bytes.
 * Escaped three times over on its way (JSON in JSON in SQL, each doubling a quote), it still fits into the
 * smallest default packet of the supported databases: MariaDB's 16 MiB.
 */
export const MAX_JSON_BYTES = 1024 * 1024

/** How deep an argument or a return value may nest. MariaDB's JSON functions stop at 32 levels, two of which the row itself takes. */
export const MAX_JSON_DEPTH = 28

/** `T` where JSON can carry it; `never` in the place of whatever it cannot. */
export type Jsonable<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? T
    : T extends Plain | void
      ? T
      : [KindOf<T>] extends [never]
        ? LacksElements<T> extends true
          ? never
          : { [K in keyof T]: Jsonable<T[K]> }
        : never

/** Whether `T` is a list, not a tuple, of which an element may be undefined: JSON has no such element. */
export type LacksElements<T> = T extends readonly (infer Element)[]
  ? Element[] extends T
    ? unknown extends Element
      ? false
      : [undefined] extends [Element]
        ? true
        : false
    : false
  : false

/** The same data, as `as const` types it. */
export type ReadonlyData<T> = T extends object ? { readonly [K in keyof T]: ReadonlyData<T[K]> } : T

/** What needs no closer look: above all recursive types, which looked at member by member would never end. */
export type Plain = PlainElement | undefined

type PlainElement =
  string | number | boolean | null | readonly PlainElement[] | { readonly [key: string]: Plain }

/** What JSON cannot carry as such, by the word for it in a message; `never` for all else. */
export type KindOf<T> = T extends bigint
  ? 'a bigint'
  : T extends symbol
    ? 'a symbol'
    : T extends (...given: never[]) => unknown
      ? 'a function'
      : T extends object
        ? KindOfObject<T>
        : never

type KindOfObject<T extends object> = T extends Date
  ? 'a Date'
  : T extends ReadonlyMap<unknown, unknown>
    ? 'a Map'
    : T extends ReadonlySet<unknown>
      ? 'a Set'
      : T extends PromiseLike<unknown>
        ? 'a Promise'
        : T extends ArrayBufferView | ArrayBuffer
          ? 'binary data'
          : T extends RegExp
            ? 'a RegExp'
            : T extends WeakMap<WeakKey, unknown>
              ? 'a WeakMap'
              : T extends WeakSet<WeakKey>
                ? 'a WeakSet'
                : T extends Error
                  ? // Data with a name and a message is no error.
                    'stack' extends keyof T
                    ? 'an Error'
                    : never
                  : never

/**
 * The JSON text of a value. `wrapped`: in so many levels of the row's own, which do not count.
 *
 * @throws NotSerializableError with the path of the first thing JSON or one of the databases cannot carry.
 */
export function encodeJson(value: unknown, path: string, wrapped = 0): string {
  assertCarried(value, new Way(path, MAX_JSON_DEPTH + wrapped))
  const text = JSON.stringify(value) as string | undefined
  // Not what was looked at: a `toJSON`, or a getter, may have given something else.
  if (text === undefined) return refuse(path, 'toJSON gives undefined', 'pass plain data')
  assertStorableText(text, path)
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_JSON_BYTES) return refuseSize(path, String(bytes))
  return text
}

function refuseSize(path: string, bytes: string): never {
  throw new NotSerializableError(
    `${path} is ${bytes} bytes of JSON; the limit is ${MAX_JSON_BYTES}.`,
    'Store the data elsewhere and pass a reference to it.',
  )
}

/**
 * The text of the column `args_kwargs`. Optional arguments that were left out at the end are dropped. An error names the task
 * and, of an `enqueueMany`, the index of the call.
 */
export function encodeArguments(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  task: string,
  call?: number,
): string {
  const given =
    args.at(-1) === undefined
      ? args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1)
      : args
  try {
    return `{"args": ${encodeJson(given, 'args', 1)}, "kwargs": ${encodeJson(kwargs, 'kwargs', 1)}}`
  } catch (error) {
    throw withTask(error, task, call === undefined ? '' : `call ${call}, `)
  }
}

/** The JSON text of a task's return value, or null (SQL NULL) for undefined and null. */
export function encodeReturnValue(value: unknown, task: string): string | null {
  if (value === undefined || value === null) return null
  try {
    return encodeJson(value, 'return value')
  } catch (error) {
    throw withTask(error, task, '')
  }
}

/** A getter or a proxy may have thrown an error of its own. */
function withTask(error: unknown, task: string, where: string): unknown {
  return error instanceof NotSerializableError
    ? new NotSerializableError(`Task "${task}", ${where}${error.what}`, error.hint)
    : error
}

/** Where the walk through a value is; put into words only for an error. */
class Way {
  readonly above: object[] = []
  readonly #root: string
  readonly #steps: (string | number)[] = []
  /** Each value takes a byte at least. One object in many places is written, and looked at, as often. */
  #values = 0

  constructor(
    root: string,
    readonly most: number,
  ) {
    this.#root = root
  }

  into(object: object, step: string | number): void {
    if (++this.#values > MAX_JSON_BYTES) refuseSize(this.#root, `more than ${MAX_JSON_BYTES}`)
    this.above.push(object)
    this.#steps.push(step)
  }

  back(): void {
    this.above.pop()
    this.#steps.pop()
  }

  get path(): string {
    return this.#steps.reduce<string>(
      (path, step) => (typeof step === 'number' ? `${path}[${step}]` : under(path, step)),
      this.#root,
    )
  }
}

function assertCarried(value: unknown, way: Way): void {
  if (value === null || typeof value === 'boolean') return
  if (typeof value === 'string') return assertText(value, way)
  if (typeof value === 'number') return assertNumber(value, way)
  if (typeof value !== 'object') return refuse(way.path, shownType(value), adviceFor(value))
  assertObject(value, way)
}

function assertObject(value: object, way: Way): void {
  if (way.above.includes(value)) refuse(way.path, 'a cycle', 'pass an id in place of the object')
  if (way.above.length >= way.most)
    refuse(way.path, `nested deeper than ${MAX_JSON_DEPTH} levels`, 'flatten the value')
  if (Array.isArray(value)) assertArray(value, way)
  else assertPlain(value, way)
}

function assertArray(value: readonly unknown[], way: Way): void {
  // An index loop, since forEach would leave out the holes of a sparse array.
  for (let i = 0; i < value.length; i++) {
    way.into(value, i)
    assertCarried(value[i], way)
    way.back()
  }
}

function assertPlain(value: object, way: Way): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    refuse(way.path, shownType(value), adviceFor(value, way.path))
  for (const [key, item] of Object.entries(value)) {
    assertKey(key, way)
    // As JSON.stringify has it: an undefined property is a property left out.
    if (item === undefined) continue
    way.into(value, key)
    assertCarried(item, way)
    way.back()
  }
}

function assertKey(key: string, way: Way): void {
  if (key === '__proto__') refuse(way.path, 'a key named __proto__', 'rename the key')
  const fault = faultOf(key)
  if (fault) refuse(`the key ${JSON.stringify(key)} of ${way.path}`, ...fault)
}

function assertText(text: string, way: Way): void {
  const fault = faultOf(text)
  if (fault) refuse(way.path, ...fault)
}

/** An escape of NUL or of half a surrogate pair, by which `JSON.stringify` writes them. */
const UNSTORABLE = /\\u(?:0000|d[89a-f])/i
/** The same, told from the text of a backslash, which is a pair of them. */
const UNSTORABLE_ESCAPE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i

function assertStorableText(text: string, path: string): void {
  if (UNSTORABLE.test(text) && UNSTORABLE_ESCAPE.test(text))
    refuse(
      path,
      'a toJSON or a getter gives text with \\u0000 or half of a surrogate pair',
      'pass plain data',
    )
}

/** What keeps a database from taking a text, and its hint. */
function faultOf(text: string): [what: string, hint: string] | undefined {
  if (text.includes('\u0000'))
    return ['text with \\u0000', "remove it: text.replaceAll('\\u0000', '')"]
  if (!text.isWellFormed()) return ['text with half of a surrogate pair', 'use text.toWellFormed()']
  return undefined
}

function assertNumber(value: number, way: Way): void {
  if (!Number.isFinite(value)) refuse(way.path, String(value), 'pass null or a finite number')
}

function refuse(path: string, what: string, hint: string): never {
  throw new NotSerializableError(`${path}: ${what};`, hint)
}

function under(path: string, key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
}
