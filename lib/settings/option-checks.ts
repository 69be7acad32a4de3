import { InvalidSettingsError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'
import { assertQueueName } from '../tasks/task-options'

/** @throws InvalidSettingsError unless `options` is an object with none but the known keys. */
export function assertKnown(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new InvalidSettingsError(
      `${what}: expected an object of options, got ${shown(options)}.`,
      'Write { … }.',
    )
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new InvalidSettingsError(
        `${what}: unknown option "${name}".`,
        didYouMean(name, known) ?? `Known options: ${known.join(', ')}.`,
      )
}

/** The queues that are meant; null: all. */
export function queuesMeant(
  what: string,
  queues: readonly string[] | '*',
): readonly string[] | null {
  if (queues === '*') return null
  // A text is no list of names, though its letters would pass for one.
  if (!Array.isArray(queues))
    throw unexpected(what, 'queues', "a list of queue names, or '*' for all", queues)
  if (queues.length === 0)
    throw new InvalidSettingsError(
      `${what}: queues is empty.`,
      "Name at least one, or '*' for all.",
    )
  return queues.includes('*') ? null : queueNames(what, 'queues', queues)
}

export function queueNames(
  what: string,
  option: string,
  names: readonly string[],
): readonly string[] {
  if (!Array.isArray(names)) throw unexpected(what, option, 'a list of queue names', names)
  for (const name of names) assertQueueName(name, what)
  return names
}

export function milliseconds(what: string, option: string, value: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw unexpected(what, option, 'a finite number of milliseconds, 0 or more', value)
}

export function flag(what: string, option: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw unexpected(what, option, 'true or false', value)
}

export function unexpected(
  what: string,
  option: string,
  expected: string,
  value: unknown,
): InvalidSettingsError {
  return new InvalidSettingsError(
    `${what}, ${option}: expected ${expected}, got ${shown(value)}.`,
    'Change the option.',
  )
}
