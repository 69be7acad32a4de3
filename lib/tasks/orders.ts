import type { TaskBackend } from '../backend'
import type { Order } from '../order'
import { assertReceivable, plainArguments } from '../arguments/dto'
import { encodeArguments } from '../arguments/json'
import { backends } from '../backend-registry'
import { InvalidTaskError } from '../errors/errors'
import { isRecord } from '../errors/option-checks'
import { shown } from '../errors/suggestions'
import type { Leaf } from '../flows/steps'
import { isPlaceholder } from '../flows/placeholder'
import type { TaskResult } from '../result'
import { isSendingSeen, sending } from '../telemetry/sending'
import type { AnyTask } from '../task-type'
import { assertNoKey, keyOf } from './keys'

/** The order of one call of a task; `call` is its index among those of an `enqueueMany`. */
export function orderOf(
  task: AnyTask,
  given: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
  call?: number,
): Order {
  const args = task.args.length === 0 ? given : plainArguments(task, given)
  const argsKwargs = encodeArguments(args, kwargs, task.name, call)
  return { task, args, kwargs, argsKwargs, key: keyOf(task, args) }
}

/** A call within a flow, which gives what is not known yet. */
export function leafOf(task: AnyTask, given: readonly unknown[]): Leaf {
  assertNoKey(task)
  const fills = given.flatMap((value, index) =>
    isPlaceholder(value) ? [{ index, placeholder: value }] : [],
  )
  const filled = (value: unknown): Order =>
    orderOf(
      task,
      given.map((each) => (isPlaceholder(each) ? value : each)),
      {},
    )
  // The worker checks the whole, once it is known.
  const check = async (order: Order): Promise<Order> => {
    assertNoKey(order.task)
    backendFor(order.task)
    const isChanged = order !== made && order.args !== made.args
    if (fills.length === 0) await assertReceivable(order.task, order.argsKwargs)
    return isChanged ? orderOf(order.task, order.args, order.kwargs) : order
  }
  const made = filled(null)
  return { order: made, fills, check, filled }
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
  return order === made ? storeChecked(order) : checkedAnew(order, made).then(storeChecked)
}

function storeChecked(order: Order): Promise<TaskResult<unknown>> {
  const backend = backends.get(order.task.backend)
  if (!isSendingSeen()) return backend.enqueue(order)
  const store = ([one = order]: readonly Order[]): Promise<TaskResult<unknown>[]> =>
    backend.enqueue(one).then((result) => [result])
  return sending([order], store).then(([result]) => result as TaskResult<unknown>)
}

/** The same for many orders, all or none. */
export async function storeOrders(
  orders: readonly Order[],
  made: readonly Order[],
): Promise<readonly TaskResult<unknown>[]> {
  const checked = orders === made ? orders : await allChecked(orders, new Set(made))
  const [first] = checked
  if (!first) return []
  const backend = backends.get(first.task.backend)
  return isSendingSeen()
    ? sending(checked, (seen) => backend.enqueueMany(seen))
    : backend.enqueueMany(checked)
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

/**
 * Whatever a middleware changed is checked, and the arguments are written, as if it had been ordered so. `made`: what it was
 * given; of that the slot of a schedule stays, which only one row may have.
 */
async function checkedAnew(order: unknown, made?: Order): Promise<Order> {
  if (!isOrder(order))
    throw new InvalidTaskError(
      `A middleware called next with ${shown(order)} in the place of an order.`,
      'Pass { ...order, args: … }, or nothing to leave the order as it is.',
    )
  backendFor(order.task)
  const checked = orderOf(order.task, order.args, order.kwargs)
  await assertReceivable(order.task, checked.argsKwargs)
  return made?.slot ? { ...checked, key: made.key, slot: made.slot } : checked
}

function isOrder(value: unknown): value is Order {
  if (!isRecord(value)) return false
  const { task, args, kwargs } = value
  return (
    isRecord(task) && typeof task['using'] === 'function' && Array.isArray(args) && isRecord(kwargs)
  )
}
