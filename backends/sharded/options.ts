import { settingsSubject, unexpected } from '../../lib/errors/option-checks'
import { InvalidSettingsError } from '../../lib/errors/errors'
import { Is, validateShape } from '../../lib/settings/validation'

/** What `by` is asked about: a call that is to be enqueued. */
export interface ShardedOrder {
  /** The name of the task. */
  readonly name: string
  readonly args: readonly unknown[]
  readonly kwargs: Readonly<Record<string, unknown>>
  readonly queueName: string
  /** The call's `uniqueKey`, or the key of its throttle or debounce; null: it has none. */
  readonly key: string | null
}

/** `TASKS.….OPTIONS` of the Sharded backend. */
export class ShardedOptions {
  /**
   * The key of a call, by which its shard is chosen: not empty, and the same for the same customer, document or whatever
   * belongs together. 7 and '7' are one key. A text that is an alias of `over` is that shard itself. It must not depend on
   * anything but its argument, and calls with the same unique key must get the same one.
   */
  @Is('a function that gives a text or a number for a call', (value) => typeof value === 'function')
  by!: (order: ShardedOrder) => string | number

  /** The aliases of TASKS to choose from, two or more. Their order does not matter; their names do, for good. */
  @Is('a list of aliases of TASKS', Array.isArray)
  over!: readonly string[]
}

/** @throws InvalidSettingsError naming the path, what was expected and what was found. */
export function shardedOptionsOf(raw: unknown, alias: string): ShardedOptions {
  const path = `TASKS.${alias}.OPTIONS`
  const options = validateShape(ShardedOptions, raw, path)
  const { over } = options
  for (const [i, each] of over.entries()) {
    const where = `${path}.over[${i}]`
    if (typeof each !== 'string')
      throw unexpected(settingsSubject(where), '', { expected: 'an alias of TASKS' }, each)
    if (each === alias)
      throw new InvalidSettingsError(
        `${where}: "${each}" is this backend itself.`,
        'Name the backends whose databases keep its tasks.',
      )
    if (over.indexOf(each) !== i)
      throw new InvalidSettingsError(`${where}: "${each}" is named twice.`, 'Name each alias once.')
  }
  if (over.length < 2)
    throw new InvalidSettingsError(
      `${path}.over: expected two aliases of TASKS or more, got ${over.length}.`,
      'Name one for each database; for a single one, give tasks its own alias.',
    )
  return options
}
