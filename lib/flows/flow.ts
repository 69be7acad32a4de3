import { OneClass } from '../copies/one-per-process'
import { InvalidTaskError } from '../errors/errors'
import { shown } from '../errors/suggestions'
import type { ErrorRecord } from '../errors/error-record'
import type { FlowHandle } from './handle'
import { enqueueFlow } from './enqueue'
import { assertMembers } from './plan'
import { placeholder } from './placeholder'
import type { FlowOptions, Handler, Stage, Steps } from './steps'

/** What failed in a flow: the first member of the last step that failed, or the one of an earlier step which kept it from running. */
export interface FlowFailure {
  readonly id: string
  readonly taskName: string
  readonly error: ErrorRecord
}

/** How each of a flow ended, as `Promise.allSettled` tells it. */
export type FlowOutcome<Value> =
  | { readonly status: 'fulfilled'; readonly value: Value }
  | { readonly status: 'rejected'; readonly reason: FlowFailure }

export type FlowOutcomes<Gives> = Gives extends readonly unknown[]
  ? { [Index in keyof Gives]: FlowOutcome<Gives[Index]> }
  : [FlowOutcome<Gives>]

/**
 * Tasks in an order: a value that does nothing before `enqueue`. `Gives` is what the next step is given, `Last` what the last
 * task returns.
 */
@OneClass('Flow')
export class Flow<Gives, Last = unknown> implements Steps {
  static {
    // Whoever awaits an order has mostly left out its enqueue, and nothing would ever run.
    // oxlint-disable-next-line unicorn/no-thenable -- it throws
    Object.defineProperty(this.prototype, 'then', { get: refuseToBeAwaited })
  }

  readonly stages: readonly Stage[]
  readonly handlers: readonly Handler[]
  /** Only for the compiler: nothing else would tell two flows apart. */
  declare readonly gives: { readonly gives: Gives; readonly last: Last }

  /** Flows are made by `order` of a task and by `group`. */
  constructor(stages: readonly Stage[], handlers: readonly Handler[] = []) {
    this.stages = stages
    this.handlers = handlers
  }

  /**
   * What runs once all of this has succeeded. The callback is called now, and its argument is a placeholder: it can only be
   * handed on to an order, as a whole argument. If one has failed for good, what comes next is FAILED, too, with
   * `typeorm_tasks.PreviousFailed`.
   *
   * @throws InvalidTaskError if the callback gives no order.
   */
  next<Next, NextLast>(step: (value: Gives) => Flow<Next, NextLast>): Flow<Next, NextLast> {
    const [flow, given] = called('next', step)
    const [first, ...others] = flow.stages
    const stages = first ? [{ ...first, given }, ...others] : []
    return new Flow([...this.stages, ...stages], [...this.handlers, ...flow.handlers])
  }

  /** What runs once all of this has finished and one has failed; it is deleted unrun if all have succeeded. */
  onFailure(step: (failure: FlowFailure) => Flow<unknown, unknown>): this {
    return this.#with('onFailure', 'failed', step)
  }

  /** What runs once all of this has finished, however. */
  onFinished(step: (outcomes: FlowOutcomes<Gives>) => Flow<unknown, unknown>): this {
    return this.#with('onFinished', 'finished', step)
  }

  /**
   * Writes a row for each task, all or none; those that wait for others are not claimed before.
   *
   * @throws InvalidTaskError for a flow that no backend can run; what `enqueue` of a task throws.
   */
  enqueue(options: FlowOptions = {}): Promise<FlowHandle<Gives, Last>> {
    return enqueueFlow(this, options)
  }

  #with(name: string, when: Handler['when'], step: (given: never) => unknown): this {
    const [flow, given] = called(name, step)
    const handlers = [...this.handlers, { when, flow, given }]
    return new Flow<Gives, Last>(this.stages, handlers) as this
  }
}

/**
 * Orders, or flows, that run side by side: what comes `next` gets a list of what they return, in their order.
 *
 * @throws InvalidTaskError unless it is a list of at most 100,000 orders.
 */
export function group<const Orders extends readonly Flow<unknown, unknown>[]>(
  orders: Orders,
): Flow<{ -readonly [Index in keyof Orders]: GivenBy<Orders[Index]> }> {
  if (!Array.isArray(orders))
    throw new InvalidTaskError(
      `group: expected a list of orders, got ${shown(orders)}.`,
      'Write group(list.map((item) => yourTask.order(item))).',
    )
  assertMembers(orders.length)
  const members = orders.map((member: unknown, i) => {
    if (!(member instanceof Flow)) throw noOrder(`group, member ${i}`, member)
    return member as Flow<unknown, unknown>
  })
  return new Flow([{ members, isGroup: true }])
}

type GivenBy<Member> = Member extends Flow<infer Gives, unknown> ? Gives : never

function called(name: string, step: (given: never) => unknown): [Flow<unknown, unknown>, object] {
  if (typeof step !== 'function')
    throw new InvalidTaskError(
      `${name}: expected a function, got ${shown(step)}.`,
      `Write ${name}((value) => yourTask.order(value)).`,
    )
  const given = placeholder()
  const flow = step(given as never)
  if (!(flow instanceof Flow)) throw noOrder(name, flow)
  return [flow as Flow<unknown, unknown>, given]
}

function refuseToBeAwaited(): never {
  throw new InvalidTaskError(
    'An order, and a flow of orders, is a value: to await it enqueues nothing.',
    'Await its enqueue(). To give it out of an async function, put it into a list or an object.',
  )
}

function noOrder(where: string, got: unknown): InvalidTaskError {
  const isPromise = got instanceof Promise
  // Else its own failure, as that of an async function which gives out an order, would end the process before this error is seen.
  if (isPromise) got.catch(() => undefined)
  return new InvalidTaskError(
    `${where}: expected an order, got ${isPromise ? 'a promise' : shown(got)}.`,
    isPromise
      ? 'Write yourTask.order(…) in the place of enqueue(…), in a function that is not async.'
      : 'Write yourTask.order(…).',
  )
}
