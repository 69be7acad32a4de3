// A backend that hands orders over to a queue of RabbitMQ. It has no results, no delays and nothing to ask for a state: what
// it cannot do, it refuses.
import { Connection } from 'rabbitmq-client'
import { NotSupportedError, TaskBackend, taskEnqueued, TaskResult } from 'typeorm-tasks'
import { v7 as newId } from 'uuid'

/** The queue, and the one for orders that the consumer cannot enqueue. Both sides declare them alike. */
export const queuesNamed = (queue) => [
  {
    queue,
    durable: true,
    arguments: {
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': `${queue}.refused`,
    },
  },
  { queue: `${queue}.refused`, durable: true },
]

export class RabbitMQBackend extends TaskBackend {
  #connection
  #publisher
  #returned = new Set()

  /** Resolves when the broker has the order on its disk. If it rejects, that is not known. */
  async enqueue(order) {
    const { task, args, kwargs } = order
    this.#refuse(order)
    const id = newId()
    const body = { args, kwargs, queueName: task.queueName }
    const { queue } = this.settings.options
    await this.#open().send(
      { routingKey: queue, messageId: id, type: task.name, durable: true, mandatory: true },
      body,
    )
    if (this.#returned.delete(id)) throw new Error(`RabbitMQ has no queue "${queue}".`)
    const result = new TaskResult(this, valuesOf(id, task, args, kwargs))
    taskEnqueued.send({ backend: this, result })
    return result
  }

  async close() {
    await this.#publisher?.close()
    await this.#connection?.close()
  }

  #open() {
    if (this.#publisher) return this.#publisher
    const { url, queue, patience = 10_000 } = this.settings.options
    this.#connection = new Connection({
      url,
      acquireTimeout: patience,
      retryLow: 200,
      retryHigh: 2_000,
    })
    this.#connection.on('error', (error) => console.error(`RabbitMQ: ${error.message}`))
    this.#publisher = this.#connection.createPublisher({
      confirm: true,
      maxAttempts: 2, // with the same id, so the consumer enqueues it once
      queues: queuesNamed(queue),
    })
    this.#publisher.on('basic.return', ({ messageId }) => this.#returned.add(messageId))
    return this.#publisher
  }

  /** What a row of the database could hold, and a message cannot. The rest is refused by `validate`. */
  #refuse({ task, key, slot }) {
    const what = slot
      ? 'is of a schedule'
      : key
        ? 'has a key (uniqueKey, throttle or debounce)'
        : Object.keys(task.overrides).length > 0
          ? `was given ${Object.keys(task.overrides).join(', ')} for this call`
          : undefined
    if (what)
      throw new NotSupportedError(
        `Task "${task.name}" ${what}, and RabbitMQ keeps no state to hold it (TASKS.${this.alias}).`,
        'Say it where the task is defined, or enqueue it on the Database backend.',
      )
  }
}

function valuesOf(id, { name: taskName, queueName, backend }, args, kwargs) {
  const none = { startedAt: null, finishedAt: null, runAfter: null, returnValue: null }
  const lists = { workerIds: [], errors: [], progress: null, priority: 0, status: 'READY' }
  const enqueuedAt = new Date()
  return { id, taskName, queueName, backend, args, kwargs, enqueuedAt, ...none, ...lists }
}
