import type { EntityManager } from 'typeorm'
import type { TaskBackend } from '../../lib/backend'
import {
  InvalidSettingsError,
  InvalidTaskError,
  NotSupportedError,
  ResultNotFoundError,
} from '../../lib/errors/errors'
import { didYouMean } from '../../lib/errors/suggestions'
import type { TaskResult } from '../../lib/result'
import { ShardError, told } from './shard-error'

/** A result, and the shard that has it. */
export interface Found {
  readonly shard: TaskBackend
  readonly result: TaskResult<unknown>
}

/** The backends that another one stands on, all asked at once. */
export class Shards {
  readonly #alias: string
  readonly all: readonly TaskBackend[]

  /** @throws InvalidSettingsError if one is missing, or cannot be one. */
  constructor(
    { alias, settings }: TaskBackend,
    over: readonly string[],
    known: ReadonlyMap<string, TaskBackend>,
  ) {
    this.#alias = alias
    this.all = over.map((each, i) => {
      const where = `TASKS.${alias}.OPTIONS.over[${i}]`
      const shard = known.get(each)
      if (!shard) {
        const others = [...known.keys()].filter((name) => name !== alias)
        throw new InvalidSettingsError(
          `${where}: TASKS has no backend "${each}"; it has ${others.map((name) => `"${name}"`).join(', ') || 'no other'}.`,
          didYouMean(each, others) ?? 'Add it to TASKS, with a data source of its own.',
        )
      }
      assertFit(shard, where, alias, settings.queues)
      return shard
    })
  }

  get(alias: string): TaskBackend {
    const found = this.all.find((shard) => shard.alias === alias)
    if (found) return found
    throw new InvalidSettingsError(
      `TASKS.${this.#alias} has not met its shards.`,
      'Make it by configureTasks({ … }), with them.',
    )
  }

  /**
   * What each of these shards answers.
   *
   * @throws ShardError if some do not; a mistake of the caller as the shard has told it.
   */
  async each<T>(
    what: string,
    ask: (shard: TaskBackend) => Promise<T>,
    shards: readonly TaskBackend[] = this.all,
  ): Promise<T[]> {
    const answers = await Promise.allSettled(shards.map(ask))
    const failures = failuresOf(shards, answers)
    if (failures.size === 0) return valuesOf(answers)
    const mistake = [...failures.values()].find(isMistake)
    if (mistake) throw mistake
    const done = shards.map(({ alias }) => alias).filter((alias) => !failures.has(alias))
    throw new ShardError(
      `TASKS.${this.#alias}: of its shards ${told(failures)} could not ${what}${done.length > 0 ? `, ${done.join(', ')} could` : ''}.`,
      'Try again when they answer; until then the others can be asked by their own aliases.',
      { failures },
    )
  }

  /**
   * The result of that id, from whichever shard has it, as soon as it answers.
   *
   * @throws ResultNotFoundError if all say that they have not; ShardError if some of them cannot say.
   */
  async find(id: string, manager?: EntityManager): Promise<Found> {
    const asked = this.all.map(async (shard) => ({
      shard,
      result: await resultOf(shard, id, manager),
    }))
    const found = await Promise.any(asked).catch(() => undefined)
    if (found) return found
    const failures = failuresOf(this.all, await Promise.allSettled(asked))
    for (const [alias, error] of failures)
      if (error instanceof ResultNotFoundError) failures.delete(alias)
    if (failures.size === 0) throw new ResultNotFoundError(String(id))
    const mistake = [...failures.values()].find((error) => error instanceof NotSupportedError)
    if (mistake) throw mistake
    throw new ShardError(
      `No task result with the id "${id}" was found, but of the shards of TASKS.${this.#alias} ${told(failures)} could not be asked.`,
      'Ask again when they answer.',
      { failures },
    )
  }
}

/** @throws InvalidSettingsError */
function assertFit(
  shard: TaskBackend,
  where: string,
  alias: string,
  queues: readonly string[],
): void {
  if (shard.servedBy)
    throw new InvalidSettingsError(
      `${where}: "${shard.alias}" is ${shard.constructor.name}, which keeps no tasks of its own.`,
      `Name the backends that it stands on in its place: ${shard.servedBy.join(', ')}.`,
    )
  const taken = shard.settings.queues
  const missing = queues.find((queue) => taken.length > 0 && !taken.includes(queue))
  if (missing !== undefined)
    throw new InvalidSettingsError(
      `TASKS.${alias}.QUEUES: "${missing}" is not in QUEUES of its shard TASKS.${shard.alias} (${taken.join(', ')}).`,
      'Give all of them the same QUEUES.',
    )
}

/** A manager is of one data source: the shards of others are asked outside of its transaction. */
async function resultOf(
  shard: TaskBackend,
  id: string,
  manager: EntityManager | undefined,
): Promise<TaskResult<unknown>> {
  if (!manager) return shard.getResult(id)
  try {
    return await shard.getResult(id, manager)
  } catch (error) {
    if (!(error instanceof InvalidTaskError)) throw error
    return shard.getResult(id)
  }
}

/** What the caller has asked wrongly, or no shard can do; not what a shard cannot do at present. */
function isMistake(error: unknown): boolean {
  return (
    error instanceof NotSupportedError ||
    error instanceof InvalidSettingsError ||
    error instanceof ResultNotFoundError
  )
}

export function failuresOf(
  shards: readonly TaskBackend[],
  answers: readonly PromiseSettledResult<unknown>[],
): Map<string, unknown> {
  return new Map(
    answers.flatMap((answer, i) =>
      answer.status === 'rejected' ? [[shards[i]?.alias ?? '', answer.reason as unknown]] : [],
    ),
  )
}

function valuesOf<T>(answers: readonly PromiseSettledResult<T>[]): T[] {
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
}
