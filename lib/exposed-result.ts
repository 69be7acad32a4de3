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
  'isWaiting',
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

/** The file of class-transformer; undefined where it is not installed, and when `expose` has done its work. */
export const transformer = { path: resolved() }

/**
 * Makes class-transformer's `instanceToPlain`, and so Nest's ClassSerializerInterceptor, read the getters of a result: by itself
 * it sees the fields of an object alone. To be called when the app has loaded class-transformer: loading it would cost all apps.
 */
export function expose(prototype: object): void {
  const loaded = require.cache[transformer.path ?? '']?.exports as
    typeof classTransformer | undefined
  if (typeof loaded?.Expose !== 'function') return
  transformer.path = undefined
  for (const [name, getter] of PROPERTIES) loaded.Expose({ name })(prototype, getter)
}

function resolved(): string | undefined {
  try {
    return require.resolve('class-transformer')
  } catch {
    return undefined
  }
}
