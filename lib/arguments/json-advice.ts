import { types } from 'node:util'
import { shown } from '../errors/suggestions'

/** What to pass in the place of a value that JSON cannot carry; `path` names the value. */
export function adviceFor(value: unknown, path = 'it'): string {
  const name = path.includes('.') ? path.slice(path.lastIndexOf('.') + 1) : path
  if (value === undefined) return 'pass null'
  if (typeof value === 'bigint') return 'pass it as text: value.toString()'
  if (typeof value === 'symbol') return 'pass text'
  if (typeof value === 'function') return 'pass plain data'
  if (typeof value !== 'object' || value === null) return 'pass plain data'
  const known = KINDS.find(({ isOne }) => isOne(value))
  return known === undefined ? adviceForInstance(value, name) : known.advice(name)
}

/** A value's type, as a message names it. */
export function shownType(value: unknown): string {
  if (typeof value === 'object' && value !== null) return value.constructor?.name || shown(value)
  return value === undefined ? 'undefined' : typeof value
}

interface Kind {
  readonly isOne: (value: object) => boolean
  readonly advice: (name: string) => string
}

/** The first that fits counts. By `types`, where it can be: a value may come from another realm, as in a vm. */
const KINDS: readonly Kind[] = [
  {
    isOne: (value) => types.isDate(value) && Number.isNaN(value.getTime()),
    advice: () => 'pass null, since it is not a valid date',
  },
  { isOne: types.isDate, advice: (name) => `pass ${name}.toISOString()` },
  { isOne: types.isMap, advice: (name) => `pass Object.fromEntries(${name})` },
  { isOne: types.isSet, advice: (name) => `pass [...${name}]` },
  { isOne: types.isPromise, advice: (name) => `await it: await ${name}` },
  {
    isOne: (value) => value instanceof Error || types.isNativeError(value),
    advice: (name) => `pass String(${name}), or { name: ${name}.name, message: ${name}.message }`,
  },
  { isOne: types.isRegExp, advice: (name) => `pass ${name}.source` },
  { isOne: (value) => value instanceof URL, advice: (name) => `pass ${name}.href` },
  { isOne: Buffer.isBuffer, advice: (name) => `pass base64 text: ${name}.toString('base64')` },
  {
    isOne: (value) => types.isUint8Array(value) || types.isAnyArrayBuffer(value),
    advice: (name) => `pass base64 text: Buffer.from(${name}).toString('base64')`,
  },
  {
    isOne: (value) => types.isDataView(value),
    advice: (name) => `pass base64 text: Buffer.from(${name}.buffer).toString('base64')`,
  },
  {
    isOne: (value) => types.isBigInt64Array(value) || types.isBigUint64Array(value),
    advice: (name) => `pass texts: Array.from(${name}, String)`,
  },
  { isOne: types.isTypedArray, advice: (name) => `pass [...${name}]` },
  { isOne: types.isGeneratorObject, advice: (name) => `pass [...${name}]` },
  {
    isOne: (value) => types.isBoxedPrimitive(value) && !types.isSymbolObject(value),
    advice: (name) => `pass ${name}.valueOf()`,
  },
  { isOne: (value) => value instanceof URLSearchParams, advice: (name) => `pass String(${name})` },
]

/** An instance of a class that is not known here. */
function adviceForInstance(value: object, name: string): string {
  if ('then' in value && typeof value.then === 'function') return `await it: await ${name}`
  if ('toJSON' in value && typeof value.toJSON === 'function') return `pass ${name}.toJSON()`
  return Object.keys(value).length === 0 ? 'pass plain data' : `pass a plain object: { ...${name} }`
}
