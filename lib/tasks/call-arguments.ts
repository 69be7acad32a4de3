import { InvalidTaskError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'

/** One call of a task, keyword arguments apart. */
export interface CallArguments {
  args?: readonly unknown[]
  kwargs?: Readonly<Record<string, unknown>>
}

const NAMES = ['args', 'kwargs']

/** @throws InvalidTaskError unless a row of these could be run. */
export function assertCall(name: string, call: CallArguments): void {
  if (!isRecord(call)) throw unexpected(name, 'enqueueWith', '{ args, kwargs }', call)
  for (const key of Object.keys(call))
    if (!NAMES.includes(key))
      throw new InvalidTaskError(
        `Task "${name}", enqueueWith: unknown key "${key}".`,
        didYouMean(key, NAMES) ?? 'Known keys: args, kwargs.',
      )
  const { args, kwargs } = call
  if (args !== undefined && !Array.isArray(args))
    throw unexpected(name, 'args', 'a list of arguments', args)
  if (kwargs !== undefined && !isRecord(kwargs))
    throw unexpected(name, 'kwargs', 'an object of arguments by name', kwargs)
}

/** @throws InvalidTaskError unless each call is a list of arguments. */
export function assertCalls(name: string, calls: readonly unknown[]): void {
  if (!Array.isArray(calls))
    throw unexpected(name, 'enqueueMany', 'a list of lists of arguments', calls)
  for (const [i, args] of calls.entries())
    if (!Array.isArray(args))
      throw unexpected(name, `enqueueMany, call ${i}`, 'a list of arguments', args)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unexpected(
  name: string,
  what: string,
  expected: string,
  value: unknown,
): InvalidTaskError {
  return new InvalidTaskError(
    `Task "${name}", ${what}: expected ${expected}, got ${shown(value)}.`,
    'Nothing was enqueued.',
  )
}
