import type { Order, TaskKey } from '../lib/backend'
import { NotSupportedError, ResultMismatchError } from '../lib/errors/errors'
import type { ResultValues } from '../lib/record'

/**
 * What a key begins with in the column `unique_key`: it says when the key is free again. One of `unique` once its row has
 * finished, one of `debounce` once it is claimed, one of `throttle` when a later enqueue takes it.
 */
const KINDS = { unique: 'f:', throttle: 't:', debounce: 'd:' } as const

const FREED_BY = { finish: KINDS.unique, claim: KINDS.debounce } as const

/** What frees the keys of a kind. */
export type FreedBy = keyof typeof FREED_BY

/** The key of a call, as the column has it. */
export function storedKey(key: TaskKey | null): string | null {
  return key === null ? null : KINDS[key.kind] + key.key
}

/** The key of the user, of one in the column. */
export function userKey(stored: string): string {
  return stored.slice(2)
}

/** A stored key after its row has been claimed, or has finished. */
export function keyAfter(what: FreedBy, stored: string | null): string | null {
  return stored?.startsWith(FREED_BY[what]) ? null : stored
}

/**
 * The same as SQL. `exact`: the column with a collation for which capitals matter, where a comparison with LIKE has none;
 * `when`: a further condition, which ends with AND.
 */
export function keyAfterSql(
  what: FreedBy,
  column: string,
  { exact = column, when = '' } = {},
): string {
  return `CASE WHEN ${when}${exact} LIKE '${FREED_BY[what]}%' THEN NULL ELSE ${column} END`
}

/**
 * A key gives the earlier task in the place of a new one, so both must be of one task.
 *
 * @throws ResultMismatchError if another task holds the key.
 */
export function assertHolds(
  { id, taskName }: Pick<ResultValues, 'id' | 'taskName'>,
  { task: { name }, key }: Pick<Order, 'task' | 'key'>,
): void {
  if (taskName !== name)
    throw new ResultMismatchError(
      `The ${key?.kind} key "${key?.key}" is held by task "${taskName}" (${id}), so "${name}" cannot have it.`,
      `Put the task's name into the key, e.g. "${name}:${key?.key}".`,
    )
}

/** A task cannot be retried by hand, since its unique key is another row's now. `key` is as the column has it. */
export function keyTaken(
  { id, taskName }: Pick<ResultValues, 'id' | 'taskName'>,
  key: string,
  holder: Pick<ResultValues, 'id' | 'taskName' | 'status'>,
): NotSupportedError {
  return new NotSupportedError(
    `Task ${id} (${taskName}) cannot be retried: its unique key "${userKey(key)}" is held by task ${holder.id} (${holder.taskName}), which is ${holder.status}.`,
    'Wait until that one has finished, or cancel it.',
  )
}
