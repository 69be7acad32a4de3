import type { Order } from './order'
import { onePerProcess } from './copies/one-per-process'
import { InvalidTaskError } from './errors/errors'
import { type Rule, check, isRecord, settingsSubject } from './errors/option-checks'
import { shown } from './errors/suggestions'
import { TaskResult } from './result'

/** What a middleware knows of a run; what the task itself gets as its `TaskContext` has it, too. */
export interface RunContext {
  /** The result as it stood when this run started. */
  readonly taskResult: TaskResult<unknown>
  /** Which run this is, from 1. */
  readonly attempt: number
  /** Aborts when the run should stop. */
  readonly signal: AbortSignal
}

/**
 * Code around each enqueue, each run, or both. Its errors are those of the enqueue, or of the run, which then fails as if
 * the task had thrown them.
 */
export interface Middleware {
  /**
   * Around an enqueue. `next` resolves once the order is stored, with its result; it takes a changed order, such as
   * `{ ...order, task: order.task.using({ queueName: 'slow' }) }`, which is checked like any other. Without `next` nothing
   * is stored, and the caller gets what this returns.
   *
   * In `enqueueMany` it is called once for each order, and `next` resolves when all of them are stored, so one order must
   * not wait for another one there. If one throws before its `next`, every other `next` rejects, and nothing is stored.
   *
   * What is thrown after `next` resolved fails the enqueue for its caller, and undoes nothing: what was stored stays, and
   * will run, in `enqueueMany` all orders. Only a transaction that the enqueue joins takes it back, by its rollback.
   */
  enqueue?:
    | ((
        order: Order,
        next: (changed?: Order) => Promise<TaskResult<unknown>>,
      ) => Promise<TaskResult<unknown>>)
    | undefined
  /**
   * Around a run, in the process that runs the task: the child process of an isolated task, the transaction of a
   * transactional one. What it returns is stored as the return value, so it usually returns what `next` gives.
   */
  run?: ((context: RunContext, next: () => Promise<unknown>) => Promise<unknown>) | undefined
}

interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: unknown): void
}

/** One of many orders on its way through the middleware. */
interface Passage {
  /** The order as it came to the end; undefined if it ended before. Rejects if that was by an error. */
  readonly arrived: Promise<Order | undefined>
  /** What the outermost middleware gives. */
  readonly result: Promise<TaskResult<unknown>>
  /** What the innermost `next` gives. */
  readonly outcome: Deferred<TaskResult<unknown>>
}

type Handler<Given, Gives> = (given: Given) => Promise<Gives>
type Layer<Given, Gives> = (
  given: Given,
  next: (changed?: Given) => Promise<Gives>,
) => Promise<Gives> | Gives
type Enqueue = Layer<Order, TaskResult<unknown>>
type Run = Layer<RunContext, unknown>
type StoreMany = Handler<readonly Order[], readonly TaskResult<unknown>[]>

const LIST: Rule = {
  expected: 'a list of objects with a method enqueue or run',
  isSound: (list) => Array.isArray(list) && list.every(isMiddleware),
  hint: 'Write setMiddleware([{ run: (context, next) => next() }]).',
}

const current = onePerProcess('middleware', () => ({
  list: [] as readonly Middleware[],
  enqueue: [] as readonly Enqueue[],
  run: [] as readonly Run[],
}))
/** Whether any middleware is around enqueues, around runs: most apps have none. */
export const isWrapped = onePerProcess('isWrapped', () => ({ enqueue: false, run: false }))

/**
 * Sets the middleware of this process, the outermost first, in the place of the earlier list, which it gives back.
 *
 * @throws InvalidSettingsError unless each of the list has a method `enqueue` or `run`.
 */
export function setMiddleware(list: readonly Middleware[]): readonly Middleware[] {
  check(settingsSubject('Middleware'), '', list, LIST)
  const earlier = current.list
  current.list = [...list]
  current.enqueue = current.list.flatMap((each) => each.enqueue?.bind(each) ?? [])
  current.run = current.list.flatMap((each) => {
    const run = each.run?.bind(each)
    return run ? [(context, next) => run(context, () => next())] : []
  })
  isWrapped.enqueue = current.enqueue.length > 0
  isWrapped.run = current.run.length > 0
  return earlier
}

/** Enqueues through the middleware; `store` gets the order as it comes out of it. */
export function enqueueThrough(
  order: Order,
  store: Handler<Order, TaskResult<unknown>>,
): Promise<TaskResult<unknown>> {
  return chain(current.enqueue, store)(order).then(asResult)
}

/**
 * The same for many orders. Each passes the middleware on its own and waits at its end until every other one is there too,
 * or has ended without coming that far. Then `store` gets all that are there, at once, in their order.
 */
export async function enqueueManyThrough(
  orders: readonly Order[],
  store: StoreMany,
): Promise<readonly TaskResult<unknown>[]> {
  const passages = orders.map(passageOf)
  const results = passages.map(({ result }) => result)
  await storeTogether(passages, store)
  await Promise.allSettled(results)
  return Promise.all(results)
}

/** Runs a task through the middleware, which shares one context with the task; it is made only where it is needed. */
export function runThrough<Context extends RunContext>(
  context: () => Context,
  run: (context: () => Context) => unknown,
): unknown {
  const made = context()
  return chain<RunContext, unknown>(current.run, async () => run(() => made))(made)
}

/** Sends one of many orders through the middleware. */
function passageOf(order: Order): Passage {
  const arrival = deferred<Order>()
  const outcome = deferred<TaskResult<unknown>>()
  // Nobody waits for the outcome of an order that does not arrive.
  outcome.promise.catch(() => {})
  const result = chain(current.enqueue, (given) => {
    arrival.resolve(given)
    return outcome.promise
  })(order).then(asResult)
  const arrived = Promise.race([arrival.promise, result.then(() => undefined)])
  return { arrived, result, outcome }
}

/** All or none: an error before the orders are stored becomes the outcome of each. */
async function storeTogether(passages: readonly Passage[], store: StoreMany): Promise<void> {
  try {
    const arrived = await Promise.all(passages.map((passage) => passage.arrived))
    const orders = arrived.filter((order) => order !== undefined)
    const results = orders.length === 0 ? [] : await store(orders)
    const there = passages.filter((_, i) => arrived[i] !== undefined)
    for (const [i, { outcome }] of there.entries())
      outcome.resolve(results[i] as TaskResult<unknown>)
  } catch (error) {
    for (const { outcome } of passages) outcome.reject(error)
  }
}

/** The layers around `innermost`, the first one outermost. Whatever throws becomes a rejection. */
function chain<Given, Gives>(
  layers: readonly Layer<Given, Gives>[],
  innermost: Handler<Given, Gives>,
): Handler<Given, Gives> {
  return layers.reduceRight<Handler<Given, Gives>>(
    (next, layer) => async (given) => layer(given, (changed = given) => next(changed)),
    async (given) => innermost(given),
  )
}

function asResult(given: unknown): TaskResult<unknown> {
  if (given instanceof TaskResult) return given
  throw new InvalidTaskError(
    `A middleware's enqueue returned ${shown(given)} in the place of a TaskResult.`,
    'Return what next() gives.',
  )
}

function deferred<Value>(): Deferred<Value> {
  let [resolve, reject] = [(_: Value): void => {}, (_: unknown): void => {}]
  const promise = new Promise<Value>((...both) => ([resolve, reject] = both))
  return { promise, resolve, reject }
}

function isMiddleware(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { enqueue, run } = value
  return (
    [enqueue, run].every((method) => method === undefined || typeof method === 'function') &&
    (enqueue !== undefined || run !== undefined)
  )
}
