import { dashed, hexOf } from '../../../entities/formats'
import type { Order, OrderedPart } from '../../../lib/order'
import {
  type Awaited,
  type FlowPlan,
  type PlannedRow,
  type SetLinks,
  WHENS,
} from '../../../lib/row/flow-parts'
import { memberKey } from '../../keys'
import type { NewOrder } from '../enqueueing/insert'

/** The orders of a flow, by ids that are known before they are written, so that its rows can name each other. */
export function flowOrders(plan: FlowPlan<Order>, newId: () => string): NewOrder[] {
  const ids = plan.rows.map(() => newId())
  const links = plan.sets.map((set) => linksOf(set, ids, newId))
  const alone: OrderedPart = { key: null }
  const parts = links.map((member) => ({ member }))
  return plan.rows.map((row, i) => {
    const { order, member, awaits } = row
    const id = ids[i] ?? ''
    if (!member && !awaits) return { order: { ...order, flow: alone }, id }
    const set = member && links[member.set]?.set
    const part = {
      // One object for all members of a set, by which they are known to be alike.
      ...(member && parts[member.set]),
      ...(awaits && { awaits: awaitedOf(awaits, links) }),
      key: member && set ? memberKey(set, member.ordinal) : null,
    }
    return { order: { ...order, argsKwargs: argumentsOf(row), flow: part }, id }
  })
}

function linksOf(
  set: FlowPlan<Order>['sets'][number],
  ids: readonly string[],
  newId: () => string,
): SetLinks {
  const named = WHENS.map((when) => [when, set[when].map((row) => dashed(ids[row] ?? ''))] as const)
  const [first = newId()] = named.flatMap(([, followers]) => followers)
  return {
    set: hexOf(dashed(first)),
    ...Object.fromEntries(named.filter(([, followers]) => followers.length > 0)),
  }
}

function awaitedOf(
  { set, when, give, shape }: NonNullable<PlannedRow<Order>['awaits']>,
  links: readonly SetLinks[],
): Awaited {
  return { set: links[set]?.set ?? '', when, give, ...(shape && { shape }) }
}

/**
 * Arguments of which some are not known yet, as the column has them. They are no list: an older worker takes the row for
 * malformed, and does not run it with nothing in their places. A worker of Django would unpack the names in place of a list,
 * but no task can be called with null as its keyword arguments, so it fails the row.
 */
function argumentsOf({ order, fill, awaits }: PlannedRow<Order>): Order['argsKwargs'] {
  if (!awaits) return order.argsKwargs
  const { args, kwargs } = JSON.parse(order.argsKwargs) as { args: unknown[]; kwargs: object }
  const open = { of: args, fill, ...(Object.keys(kwargs).length > 0 && { kwargs }) }
  return JSON.stringify({ args: open, kwargs: null })
}
