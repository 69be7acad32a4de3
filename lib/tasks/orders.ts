import type { Order, TaskBackend } from '../backend'
import { backends } from '../backend-registry'
import { InvalidTaskError } from '../errors/errors'
import { isRecord } from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import type { TaskResult } from '../result'
import type { AnyTask } from '../task-type'
import { assertReceivable, plainArguments } from './dto'
import { encodeArguments } from './json'

/** The order of one call of a task. */
export function orderOf(
  task: AnyTask,
  given: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): Order {
  const args = task.args.length === 0 ? given : plainArguments(task, given)
  return { task, args, kwargs, argsKwargs: encodeArguments(args, kwargs) }
}

/** The backend of a task. @throws InvalidBackendError, InvalidTaskError or NotSupportedError if it cannot take the task. */
export function backendFor(task: AnyTask): TaskBackend {
  const backend = backends.get(task.backend)
  backend.validate(task)
  return backend
}

/**
 * Stores an order as it comes out of the middleware; `made` went in, and is checked already. Not async, since one more
 * promise here took up to a twentieth of the time of an enqueue (SQLite in memory).
 */
export function storeOrder(order: Order, made: Order): Promise<TaskResult<unknown>> {
  return order === made
    ? backends.get(order.task.backend).enqueue(order)
    : checkedAnew(order).then((checked) => backends.get(checked.task.backend).enqueue(checked))
}

/** The same for many orders, all or none. */
export async function storeOrders(
  orders: readonly Order[],
  made: readonly Order[],
): Promise<readonly TaskResult<unknown>[]> {
  const checked = orders === made ? orders : await allChecked(orders, new Set(made))
  const [first] = checked
  return first ? backends.get(first.task.backend).enqueueMany(checked) : []
}

async function allChecked(orders: readonly Order[], made: ReadonlySet<Order>): Promise<Order[]> {
  const checked: Order[] = []
  for (const order of orders) checked.push(made.has(order) ? order : await checkedAnew(order))
  for (const { task } of checked)
    if (task.backend !== checked[0]?.task.backend || task.manager !== checked[0]?.task.manager)
      throw new InvalidTaskError(
        `Task "${task.name}", enqueueMany: a middleware gave its orders different backends or managers, so they cannot be stored together.`,
        'Give all orders of one enqueueMany the same, or enqueue them one by one.',
      )
  return checked
}

/** Whatever a middleware changed is checked, and the arguments are written, as if it had been ordered so. */
async function checkedAnew(order: unknown): Promise<Order> {
  if (!isOrder(order))
    throw new InvalidTaskError(
      `A middleware called next with ${shown(order)} in the place of an order.`,
      'Pass { ...order, args: … }, or nothing to leave the order as it is.',
    )
  backendFor(order.task)
  const checked = orderOf(order.task, order.args, order.kwargs)
  await assertReceivable(order.task, checked.argsKwargs)
  return checked
}

function isOrder(value: unknown): value is Order {
  if (!isRecord(value)) return false
  const { task, args, kwargs } = value
  return (
    isRecord(task) && typeof task['using'] === 'function' && Array.isArray(args) && isRecord(kwargs)
  )
}
