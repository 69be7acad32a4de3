import { OneClass } from '../lib/copies/one-per-process'
import type { Order } from '../lib/order'
import { InvalidTaskError } from '../lib/errors/errors'
import { log } from '../lib/events/logger'
import type { FlowPlan } from '../lib/row/flow-parts'
import type { TaskResult } from '../lib/result'
import type { Task } from '../lib/task-type'
import { ImmediateBackend } from './immediate'

const HINT =
  'Call configureTasks({ default: { … } }) in this process, or import the file that calls it. In NestJS import TasksModule.forRoot({ tasks: { default: { … } } }).'

/** What holds as long as `configureTasks` was not called: tasks run at once, as in Django, and the first one says so. */
@OneClass('UnconfiguredBackend')
export class UnconfiguredBackend extends ImmediateBackend {
  #hasWarned = false

  constructor() {
    super('default', { queues: ['default'], options: {} })
  }

  override async enqueue(order: Order): Promise<TaskResult<unknown>> {
    this.#warn()
    return super.enqueue(order)
  }

  override async enqueueFlow(plan: FlowPlan<Order>): Promise<TaskResult<unknown>[]> {
    this.#warn()
    return super.enqueueFlow(plan)
  }

  override validate(task: Task<unknown[], unknown>): void {
    if (!this.settings.queues.includes(task.queueName))
      throw new InvalidTaskError(
        `Task "${task.name}": there is no queue "${task.queueName}", since TASKS is not configured in this process.`,
        HINT,
      )
    super.validate(task)
  }

  #warn(): void {
    if (!this.#hasWarned)
      log.warn(
        `TASKS is not configured in this process: tasks run at once, in the process that enqueues them, and nothing is stored. ${HINT}`,
      )
    this.#hasWarned = true
  }
}
