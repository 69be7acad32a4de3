import { briefly } from '../../lib/errors/error-record'
import { InvalidTaskError } from '../../lib/errors/errors'
import { shown } from '../../lib/errors/suggestions'
import type { Order } from '../../lib/order'
import type { FlowPlan } from '../../lib/row/flow-parts'
import type { ShardedOptions } from './options'
import { shardOf } from './shard-of'

/** Which shard a call goes to. */
export class Placing {
  readonly #alias: string
  readonly #by: ShardedOptions['by']
  readonly #over: readonly string[]

  constructor(alias: string, by: ShardedOptions['by'], over: readonly string[]) {
    this.#alias = alias
    this.#by = by
    this.#over = over
  }

  /** A run of a schedule is where the others of that schedule are, whatever its arguments: their keys let each slot run once. */
  aliasFor(order: Order): string {
    return order.slot ? this.ofSchedule(order.slot.schedule) : this.#byKey(order)
  }

  ofSchedule(schedule: string): string {
    return shardOf(`schedule ${schedule}`, this.#over)
  }

  /**
   * The shard of a flow, which is on one as a whole. Rows that wait for others go along: their arguments are not known yet.
   *
   * @throws InvalidTaskError if those that do not wait have different ones.
   */
  aliasForFlow({ rows }: FlowPlan<Order>): string {
    const begun = rows.filter(({ awaits }) => awaits === null).map(({ order }) => order)
    const [first, ...others] = begun.map((order) => ({ order, alias: this.aliasFor(order) }))
    const other = others.find(({ alias }) => alias !== first?.alias)
    if (first && other)
      throw new InvalidTaskError(
        `Task "${other.order.task.name}" goes to ${other.alias}, and "${first.order.task.name}", of the same flow, to ${first.alias}: a flow is on one shard of TASKS.${this.#alias}.`,
        `Let \`by\` give all tasks of a flow one key, or give them one shard as backend: using({ backend: '${first.alias}' }).`,
      )
    return first?.alias ?? ''
  }

  #byKey(order: Order): string {
    const key = this.#keyOf(order)
    if ((typeof key === 'string' && key !== '') || Number.isFinite(key))
      return shardOf(key as string | number, this.#over)
    throw new InvalidTaskError(
      `Task "${order.task.name}": \`by\` of TASKS.${this.#alias}.OPTIONS gave ${key === '' ? 'an empty text' : shown(key)}, not a text or a number.`,
      'Let it give a key for every call, at once: what the call is about, such as a customer.',
    )
  }

  #keyOf({ task, args, kwargs, key }: Order): unknown {
    const { name, queueName } = task
    try {
      return this.#by({ name, args, kwargs, queueName, key: key?.key ?? null })
    } catch (cause) {
      throw new InvalidTaskError(
        `Task "${name}": \`by\` of TASKS.${this.#alias}.OPTIONS has thrown: ${briefly(cause)}.`,
        'Let it give a key for every call.',
        { cause },
      )
    }
  }
}
