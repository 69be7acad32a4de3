import type { Order, TaskKey } from '../lib/order'
import { NotSupportedError, ResultMismatchError } from '../lib/errors/errors'
import type { ResultValues } from '../lib/row/record'
import { LAST_SLOT, slotInKey, slotKey } from '../lib/row/slot'

/**
 * What a key begins with in the column `unique_key`: it says when the key is free again. One of `unique` once its row has
 * finished, one of `debounce` once it is claimed, one of `throttle` when a later enqueue takes it, one of `slot` never.
 */
const KINDS = { unique: 'f:', throttle: 't:', debounce: 'd:', slot: 's' } as const

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

/** The most members that keys of a set can tell apart. */
const ORDINAL_DIGITS = 6
export const LAST_ORDINAL = 16 ** ORDINAL_DIGITS - 1

/** The key of a member of a set: digits of one width, so that all of a set are one range in the collations of all databases. */
export function memberKey(set: string, ordinal: number): string {
  return `g${set}${ordinal.toString(16).padStart(ORDINAL_DIGITS, '0')}`
}

/** The place of a member in its set; null if the key is not one of that set. */
export function ordinalOf(set: string, key: string | null): number | null {
  const found = key?.startsWith(`g${set}`) ? key.slice(1 + set.length) : ''
  return /^[0-9a-f]{6}$/.test(found) ? Number.parseInt(found, 16) : null
}

/** Where the name of the set is in the key of a member. */
const SET = { at: 1, length: 32 } as const
/** Where its ordinal is. */
export const ORDINAL_AT = SET.at + SET.length

/** Another program may have written any other key that begins alike. */
const MEMBER_KEY = /^g[0-9a-f]{38}$/

/** What the options of a member say that has no others, and whose set is named by the row that waits for it. */
const SET_OPTIONS = ['{"flow":{"set":"', '"}}'] as const

/** The options of a row: those of its column, or what its key says of its set. */
export function wholeOptions(options: string | null, key: string | null): string | null {
  if (options !== null || key === null || !MEMBER_KEY.test(key)) return options
  return SET_OPTIONS.join(key.slice(SET.at, SET.at + SET.length))
}

/**
 * The same as SQL. `options`: the text of the column; `exact`: as in `keyAfterSql`; `joined`: of texts one.
 */
export function wholeOptionsSql(
  options: string,
  column: string,
  { exact = column, joined }: { exact?: string; joined: (...texts: string[]) => string },
): string {
  const [before, after] = SET_OPTIONS
  const text = joined(
    `'${before}'`,
    `substr(${column}, ${SET.at + 1}, ${SET.length})`,
    `'${after}'`,
  )
  return `coalesce(${options}, CASE WHEN ${exact} LIKE 'g%' THEN ${text} END)`
}

/** Keys of the slots of a schedule, as the column has them: digits of one width, so that all of them are one range in the collations of all databases. */
export function slotRange(schedule: string): { from: string; upTo: string; prefix: string } {
  const prefix = `${KINDS.slot}${schedule}`
  return {
    from: storedKey({ kind: 'slot', key: slotKey(schedule, 0) }) ?? '',
    upTo: storedKey({ kind: 'slot', key: slotKey(schedule, LAST_SLOT) }) ?? '',
    prefix,
  }
}

/** The slot of a stored key; null if it is not one of that schedule. */
export function slotIn(schedule: string, stored: string | null): Date | null {
  return stored?.startsWith(KINDS.slot) ? slotInKey(schedule, stored.slice(1)) : null
}

/** The schedule of a stored key; null if it is not one of a slot. */
export function scheduleOf(stored: string | null): string | null {
  return /^s([0-9a-f]{32})[0-9a-f]{12}$/.exec(stored ?? '')?.[1] ?? null
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
  { task: { name }, key }: Pick<Order, 'key'> & { readonly task: Pick<Order['task'], 'name'> },
): void {
  if (taskName !== name)
    throw new ResultMismatchError(
      `The ${key?.kind} key "${key?.key}" is held by task "${taskName}" (${id}), so "${name}" cannot have it.`,
      `Put the task's name into the key, e.g. "${name}:${key?.key}".`,
    )
}

/** A task cannot be retried by hand, since its unique key is another row's now. The key is made of arguments, which are not for all who read this. */
export function keyTaken(
  { id, taskName }: Pick<ResultValues, 'id' | 'taskName'>,
  holder: Pick<ResultValues, 'id' | 'taskName' | 'status'>,
): NotSupportedError {
  return new NotSupportedError(
    `Task ${id} (${taskName}) cannot be retried: its unique key is held by task ${holder.id} (${holder.taskName}), which is ${holder.status}.`,
    'Wait until that one has finished, or cancel it.',
  )
}
