import type { TaskBackend } from '../backend'
import type { Order } from '../order'
import { type CallArguments, assertCall, assertCalls } from '../arguments/call-arguments'
import { TaskContext } from './context'
import { assertReceivable, receivedArguments } from '../arguments/dto'
import { OneClass } from '../copies/one-per-process'
import { InvalidTaskError, NotSupportedError, ResultMismatchError } from '../errors/errors'
import type { ReadonlyData } from '../arguments/json'
import { enqueueManyThrough, enqueueThrough, isWrapped } from '../middleware'
import { backends } from '../backend-registry'
import { parametersOf } from '../arguments/parameters'
import { tasks } from '../registry'
import { TaskResult } from '../result'
import { Flow } from '../flows/flow'
import { backendFor, leafOf, orderOf, storeOrder, storeOrders } from './orders'
import { type CallOptions, type TaskValues, changedValues } from './task-options'

/** Under another name, since the module below has a `Task` of its own. */
type TaskClass<Args extends unknown[], Return> = Task<Args, Return>

declare module '../task-type' {
  interface TaskTypes<Args extends unknown[], Return> {
    readonly task: TaskClass<Args, Return>
  }
}

export type TaskFunction = (...given: never[]) => unknown

/** The constructor takes over all of its values, so that none has to be listed here. */
// oxlint-disable-next-line typescript/no-unsafe-declaration-merging, typescript/no-empty-interface, no-unused-vars
export interface Task<Args extends unknown[], Return> extends TaskValues {}

/** A function that can be run in the background: an immutable value, made by `task(…)`. */
@OneClass('Task')
export class Task<Args extends unknown[], Return> {
  readonly #fn: TaskFunction | null
  /** The backend that has found nothing to refuse in this task. */
  #acceptedBy: TaskBackend | undefined

  /** `fn` is null for a task whose code lives elsewhere. `values` and the `changes` to them are checked already. */
  constructor(values: TaskValues, fn: TaskFunction | null, changes: Partial<TaskValues> = {}) {
    Object.assign(this, values, changes)
    this.#fn = fn
    if (backends.isConfigured && !tasks.isReloading) this.#acceptedBy = backendFor(this)
  }

  /**
   * A changed copy; this task stays as it is. What is undefined changes nothing.
   *
   * @throws InvalidTaskError for an unknown option, or a value out of its range.
   */
  using(changes: CallOptions<Args> = {}): Task<Args, Return> {
    return new Task(this, this.#fn, changedValues(this, changes))
  }

  /** Hands the task to its backend; resolves once it is stored. */
  async enqueue(...args: Args): Promise<TaskResult<Return>> {
    return this.#enqueue(args, {})
  }

  /** As `enqueue`, with keyword arguments; on the running side they arrive as one last object argument. */
  async enqueueWith(call: CallArguments = {}): Promise<TaskResult<Return>> {
    assertCall(this.name, call)
    return this.#enqueue(call.args ?? [], call.kwargs ?? {})
  }

  /**
   * A call of the task for a flow: a value, which does nothing by itself.
   *
   * ```ts
   * await resize.order(id).next((path) => publish.order(path)).enqueue()
   * ```
   */
  order(...args: Args): Flow<Return extends void ? null : Return, Return> {
    // `next(publish.order)` compiles, and takes the method from its task.
    if (!(this instanceof Task))
      throw new InvalidTaskError(
        'order was called without its task.',
        'Call it as a method: next((value) => someTask.order(value)).',
      )
    return new Flow([{ members: [leafOf(this, args)], isGroup: false }])
  }

  /** Enqueues the task once for each list of arguments, all or none, in as few statements as the backend can. */
  async enqueueMany(calls: readonly (Args | ReadonlyData<Args>)[]): Promise<TaskResult<Return>[]> {
    assertCalls(this.name, calls)
    this.#assertAccepted()
    const orders: Order[] = []
    for (const [i, args] of calls.entries()) {
      const order = orderOf(this, args, {}, i)
      if (this.args.length > 0) await assertReceivable(this, order.argsKwargs, `call ${i}, `)
      orders.push(order)
    }
    const stored = isWrapped.enqueue
      ? await enqueueManyThrough(orders, (given) => storeOrders(given, orders))
      : await storeOrders(orders, orders)
    return stored as TaskResult<Return>[]
  }

  /** Runs the task here and now, without a queue and in no transaction but that of `using({ manager })`; errors come out as they are. */
  async call(...args: Args): Promise<Return> {
    return (await this.run(args, () => detachedContext(this, args))) as Return
  }

  /**
   * The stored result of that id.
   *
   * @throws ResultNotFoundError if there is none.
   * @throws ResultMismatchError if it is another task's.
   */
  async getResult(id: string): Promise<TaskResult<Return>> {
    const result = await backends.get(this.backend).getResult(id, this.manager)
    if (result.taskName !== this.name)
      throw new ResultMismatchError(
        `The result ${id} is of task "${result.taskName}", not of "${this.name}".`,
        `Ask "${result.taskName}" for it.`,
      )
    return result as TaskResult<Return>
  }

  /** Calls the function with what a row holds, and gives what it gives, or a promise of it; `context` is asked only if the task takes one. */
  run(args: readonly unknown[], context: () => TaskContext): unknown {
    const fn = this.#fn
    if (fn === null)
      throw new NotSupportedError(
        `Task "${this.name}" is remote: its code lives elsewhere.`,
        'Enqueue it, and run a worker there.',
      )
    const run = (given: readonly unknown[]): unknown =>
      Reflect.apply(fn, undefined, this.takesContext ? [context(), ...given] : given)
    return this.args.length === 0 ? run(args) : receivedArguments(this, args).then(run)
  }

  /** Those of the names that are positional parameters of the function. */
  positionalAmong(names: readonly string[]): string[] {
    const parameters = this.#fn === null ? [] : parametersOf(this.#fn)
    return names.filter((name) => parameters.includes(name))
  }

  /** What a person tells tasks by. */
  toJSON(): Record<string, unknown> {
    const { name, priority, queueName, backend, takesContext, runAfter, uniqueKey } = this
    return { name, priority, queueName, backend, takesContext, runAfter, uniqueKey }
  }

  async #enqueue(
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ): Promise<TaskResult<Return>> {
    this.#assertAccepted()
    const order = orderOf(this, args, kwargs)
    if (this.args.length > 0) await assertReceivable(this, order.argsKwargs)
    const stored = isWrapped.enqueue
      ? await enqueueThrough(order, (given) => storeOrder(given, order))
      : await storeOrder(order, order)
    return stored as TaskResult<Return>
  }

  /** Again at each enqueue, since TASKS may be configured after the task is made. */
  #assertAccepted(): void {
    if (backends.get(this.backend) !== this.#acceptedBy) this.#acceptedBy = backendFor(this)
  }
}

function detachedContext(task: TaskValues, args: readonly unknown[]): TaskContext {
  const now = new Date()
  const values = {
    id: '',
    taskName: task.name,
    status: 'RUNNING',
    enqueuedAt: now,
    startedAt: now,
    finishedAt: null,
    args,
    kwargs: {},
    priority: task.priority,
    queueName: task.queueName,
    backend: task.backend,
    runAfter: null,
    workerIds: ['call'],
    errors: [],
    returnValue: null,
    progress: null,
  } as const
  return new TaskContext(new TaskResult(backends.get(task.backend), values), {
    signal: new AbortController().signal,
    report: () => {},
    ...(task.manager ? { manager: task.manager } : {}),
  })
}
