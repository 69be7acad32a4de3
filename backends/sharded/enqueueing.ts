import type { TaskBackend } from '../../lib/backend'
import { InvalidTaskError } from '../../lib/errors/errors'
import type { Order } from '../../lib/order'
import type { TaskResult } from '../../lib/result'
import { ShardError, told } from './shard-error'
import { failuresOf, type Shards } from './shards'

type Result = TaskResult<unknown>

/** @throws InvalidTaskError that says which shard it is, where the order's manager is of another data source. */
export async function enqueueOn<T>(
  { alias }: TaskBackend,
  { task }: Order,
  enqueue: () => Promise<T>,
): Promise<T> {
  try {
    return await enqueue()
  } catch (error) {
    if (!task.manager || !(error instanceof InvalidTaskError)) throw error
    throw new InvalidTaskError(
      `Task "${task.name}" goes to ${alias}: ${error.what}`,
      `${error.hint} It must be of a transaction on the data source of TASKS.${alias}; shardOf(key, over) tells which that is.`,
      { cause: error },
    )
  }
}

/** Enqueues orders, each on the shard of that alias. Resolves to their results, in order. */
export async function enqueueSpread(
  name: string,
  shards: Shards,
  orders: readonly Order[],
  aliases: readonly string[],
): Promise<Result[]> {
  const [first] = orders
  if (!first) return []
  const used = [...new Set(aliases)]
  if (first.task.manager && used.length > 1)
    throw new InvalidTaskError(
      `Task "${first.task.name}" was given a manager, and its ${orders.length} calls go to ${used.join(', ')}: a transaction is of one database.`,
      'Enqueue those of each shard in a transaction on its data source; shardOf(key, over) tells which that is.',
    )
  const ofShard = used.map((alias) => orders.filter((_, i) => aliases[i] === alias))
  const targets = used.map((alias) => shards.get(alias))
  const answers = await Promise.allSettled(
    targets.map((shard, i) => enqueueOn(shard, first, () => shard.enqueueMany(ofShard[i] ?? []))),
  )
  const results = inOrder(aliases, used, answers)
  const failures = failuresOf(targets, answers)
  if (failures.size === 0) return results.flatMap((result) => result ?? [])
  if (failures.size === targets.length && targets.length === 1) throw [...failures.values()][0]
  throw partly(name, first.task.name, results, failures)
}

/** Each shard gives its results in the order of its own calls. */
function inOrder(
  aliases: readonly string[],
  used: readonly string[],
  answers: readonly PromiseSettledResult<readonly Result[]>[],
): (Result | null)[] {
  const left = new Map(
    used.map((alias, i) => {
      const answer = answers[i]
      return [alias, answer?.status === 'fulfilled' ? answer.value[Symbol.iterator]() : undefined]
    }),
  )
  return aliases.map((alias) => {
    const next = left.get(alias)?.next()
    return next && !next.done ? next.value : null
  })
}

function partly(
  name: string,
  task: string,
  enqueued: readonly (Result | null)[],
  failures: ReadonlyMap<string, unknown>,
): ShardError {
  const done = enqueued.filter((result) => result !== null).length
  return new ShardError(
    `Task "${task}": of ${enqueued.length} calls ${done} were enqueued, and the others not, since of the shards of TASKS.${name} ${told(failures)} failed.`,
    'Enqueue those again whose place in `enqueued` of this error is null.',
    { failures, enqueued },
  )
}
