import type * as classTransformer from 'class-transformer'

/** The getter for what the row holds, also where `returnValue` throws. */
export const STORED_VALUE = Symbol('returnValue')

const NAMES = [
  'id',
  'status',
  'enqueuedAt',
  'startedAt',
  'finishedAt',
  'args',
  'kwargs',
  'priority',
  'queueName',
  'backend',
  'runAfter',
  'workerIds',
  'errors',
  'progress',
  'attempts',
] as const

/** The properties of `toJSON`, and the getters of a result that have them. */
const PROPERTIES: readonly (readonly [name: string, getter: string | symbol])[] = [
  ...NAMES.map((name) => [name, name] as const),
  ['returnValue', STORED_VALUE],
  ['task', 'taskName'],
]

/** Undefined where class-transformer is not installed. */
const path = resolved()
let isExposed = false

/**
 * Makes class-transformer's `instanceToPlain`, and so Nest's ClassSerializerInterceptor, read the getters of a result: by itself
 * it sees the fields of an object alone. Does nothing until the app has loaded class-transformer: loading it would cost all apps.
 */
export function exposeOnce(prototype: object): void {
  if (isExposed || path === undefined) return
  const loaded = require.cache[path]?.exports as typeof classTransformer | undefined
  if (typeof loaded?.Expose !== 'function') return
  isExposed = true
  for (const [name, getter] of PROPERTIES) loaded.Expose({ name })(prototype, getter)
}

function resolved(): string | undefined {
  try {
    return require.resolve('class-transformer')
  } catch {
    return undefined
  }
}
