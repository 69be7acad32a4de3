// Checked by the compiler alone: what a middleware is given and gives.
import { type Middleware, type RunContext, setMiddleware, type TaskContext } from 'typeorm-tasks'

export const both: Middleware = {
  enqueue: (order, next) => next({ ...order, task: order.task.using({ queueName: 'slow' }) }),
  run: async (context, next) => [context.attempt, context.signal.aborted, await next()],
}
export const unchanged: Middleware = { enqueue: (_, next) => next() }
export const earlier: readonly Middleware[] = setMiddleware([both, unchanged])

/** What the task gets has all that a middleware gets. */
export const contextOf = (context: TaskContext): RunContext => context

export class Counter implements Middleware {
  count = 0

  run(_: RunContext, next: () => Promise<unknown>): Promise<unknown> {
    this.count++
    return next()
  }
}

// @ts-expect-error an enqueue gives a result
export const forgetful: Middleware = { enqueue: async (_, next) => void (await next()) }
// @ts-expect-error only the order can be changed
export const misplaced: Middleware = { run: (context, next) => next(context) }
// @ts-expect-error an order has a task, arguments and keyword arguments
export const halved: Middleware = { enqueue: (order, next) => next({ task: order.task }) }
