import { isRecord } from '../errors/option-checks'

/** When a row runs that waits for a set of others: once all have finished, and all SUCCESSFUL, some FAILED, or however. */
export type When = 'successful' | 'failed' | 'finished'

/**
 * What stands in the place of a placeholder: the return value of a set of one, those of all members, how each ended, or which
 * one failed first.
 */
export type Give = 'value' | 'values' | 'outcomes' | 'failure'

/** Groups within a group: how many values each has. A number stands for that many values, a list for a list of its own. */
export type Shape = readonly (number | Shape)[]

/** The set that a row is a member of, and the rows that wait for the set, by their ids, with hyphens or without. */
export interface SetLinks {
  /** 32 hex digits. */
  readonly set: string
  readonly successful?: readonly string[]
  readonly failed?: readonly string[]
  readonly finished?: readonly string[]
}

/** The set that a row waits for. */
export interface Awaited {
  /** 32 hex digits. */
  readonly set: string
  readonly when: When
  readonly give: Give
  readonly shape?: Shape
}

/** What the column `options` says of a row in a flow. */
export interface FlowPart {
  readonly member?: SetLinks
  readonly awaits?: Awaited
}

export const WHENS = ['successful', 'failed', 'finished'] as const satisfies readonly When[]
const GIVES: readonly unknown[] = ['value', 'values', 'outcomes', 'failure'] satisfies Give[]

/** What the options of a row say of its flow; without a part that somebody else has written badly. */
export function flowPartOf(options: Readonly<Record<string, unknown>>): FlowPart {
  const { flow } = options
  if (!isRecord(flow)) return {}
  const { member, awaits, set } = flow
  return {
    ...(isSetLinks(member) ? { member } : isSet(set) && { member: plainLinks(set) }),
    ...(isAwaited(awaits) && { awaits }),
  }
}

/** Of a set that has the id of the one row that waits for it, and that for its success. */
function plainLinks(set: string): SetLinks {
  return { set, successful: [set] }
}

/** Whether the name of the set says all of them. */
export function isPlain({ set, successful = [], failed = [], finished = [] }: SetLinks): boolean {
  const [first = ''] = successful
  return (
    successful.length + failed.length + finished.length === 1 && first.replaceAll('-', '') === set
  )
}

function isSetLinks(value: unknown): value is SetLinks {
  if (!isRecord(value) || !isSet(value['set'])) return false
  return WHENS.every((when) => {
    const ids = value[when]
    return ids === undefined || (Array.isArray(ids) && ids.every((id) => typeof id === 'string'))
  })
}

function isAwaited(value: unknown): value is Awaited {
  if (!isRecord(value) || !isSet(value['set'])) return false
  return WHENS.some((when) => when === value['when']) && GIVES.includes(value['give'])
}

function isSet(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)
}

/** A row of a flow that has no id yet. Sets and rows are numbers: their places in the plan. */
export interface PlannedRow<Order> {
  readonly order: Order
  /** Where among its arguments what it waits for goes. */
  readonly fill: readonly number[]
  readonly member: { readonly set: number; readonly ordinal: number } | null
  readonly awaits: PlannedWait | null
  /** It belongs to a callback for a failure or for the end. */
  readonly isCallback: boolean
}

export interface PlannedWait {
  readonly set: number
  readonly when: When
  readonly give: Give
  readonly shape: Shape | null
}

/** The members of a set, and the rows that wait for all of them. */
export interface PlannedSet extends Readonly<Record<When, readonly number[]>> {
  readonly members: readonly number[]
}

/** The rows of a flow; each comes after those that it waits for. */
export interface FlowPlan<Order> {
  readonly rows: readonly PlannedRow<Order>[]
  readonly sets: readonly PlannedSet[]
  /** The rows of the last step, in order. */
  readonly last: readonly number[]
}
