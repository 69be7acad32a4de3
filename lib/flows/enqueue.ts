import type { EntityManager } from 'typeorm'
import type { Order } from '../order'
import { backends } from '../backend-registry'
import { InvalidTaskError } from '../errors/errors'
import { assertKnown } from '../errors/option-checks'
import type { PlannedRow } from '../row/flow-parts'
import { enqueueManyThrough, isWrapped } from '../middleware'
import type { TaskResult } from '../result'
import type { AnyTask } from '../task-type'
import { isSendingSeen, sending } from '../telemetry/sending'
import type { FlowOptions, Steps } from './steps'
import { FlowHandle } from './handle'
import { type CheckedPlan, type CheckedRow, planOf } from './plan'

const SUBJECT = {
  what: 'A flow, enqueue',
  Fault: InvalidTaskError,
  hint: 'Write enqueue(), or enqueue({ manager }).',
}

/** Writes the rows of a flow, all or none. */
export async function enqueueFlow<Gives, Last>(
  flow: Steps,
  options: FlowOptions,
): Promise<FlowHandle<Gives, Last>> {
  assertKnown(SUBJECT, options, ['manager'])
  const { manager } = options
  const planned = planOf(flow)
  const rows = manager ? joining(planned.rows, manager) : planned.rows
  const plan = { ...planned, rows }
  const orders = rows.map(({ order }) => order)
  const results = isWrapped.enqueue
    ? await enqueueManyThrough(orders, (changed) => store(plan, changed))
    : await store(plan, orders)
  const ofSteps = results.filter((_, i) => !rows[i]?.isCallback)
  return new FlowHandle(
    ofSteps,
    plan.last.flatMap((i) => results[i] ?? []),
  )
}

/** Each task once: rows of the same one can be written together. */
function joining(rows: readonly CheckedRow[], manager: EntityManager): readonly CheckedRow[] {
  const joined = new Map<AnyTask, AnyTask>()
  return rows.map((row) => {
    const { order } = row
    const task = joined.get(order.task) ?? order.task.using({ manager })
    joined.set(order.task, task)
    return { ...row, order: { ...order, task } }
  })
}

/** `orders`: those of the plan, as they come out of the middleware. */
async function store(
  plan: CheckedPlan,
  orders: readonly Order[],
): Promise<readonly TaskResult<unknown>[]> {
  if (orders.length < plan.rows.length)
    throw new InvalidTaskError(
      `A middleware stored ${orders.length} of the ${plan.rows.length} orders of a flow: the others would be waited for in vain.`,
      'Call next() for each order, or leave out those of flows.',
    )
  const rows: PlannedRow<Order>[] = []
  for (const [i, row] of plan.rows.entries())
    rows.push({ ...row, order: await row.check(orders[i] ?? row.order) })
  const backend = backends.get(assertTogether(rows))
  if (!isSendingSeen()) return backend.enqueueFlow({ ...plan, rows })
  return sending(
    rows.map(({ order }) => order),
    (seen) => {
      const seenRows = rows.map((row, i) => ({ ...row, order: seen[i] ?? row.order }))
      return backend.enqueueFlow({ ...plan, rows: seenRows })
    },
  )
}

/** The backend of all orders. */
function assertTogether(rows: readonly PlannedRow<Order>[]): string {
  const [first] = rows
  const backend = first?.order.task.backend ?? 'default'
  for (const { order } of rows) {
    const { task } = order
    if (task.backend !== backend)
      throw new InvalidTaskError(
        `Task "${task.name}" goes to the backend "${task.backend}", and "${first?.order.task.name}", of the same flow, to "${backend}".`,
        'Give all orders of a flow the same backend.',
      )
    if (task.manager !== first?.order.task.manager)
      throw new InvalidTaskError(
        `Task "${task.name}" has another manager than "${first?.order.task.name}", of the same flow.`,
        'Give the manager to the flow: enqueue({ manager }).',
      )
  }
  return backend
}
