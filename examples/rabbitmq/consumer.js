// Carries orders from RabbitMQ into the database. A message is acknowledged after the commit of its row, and its id is the id of
// the row: a message that comes again changes nothing.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, ConsumerStatus } from 'rabbitmq-client'
import {
  AlreadyEnqueuedError,
  InvalidSettingsError,
  InvalidTaskError,
  NotSerializableError,
  remoteTask,
} from 'typeorm-tasks'
import { v7 as newId } from 'uuid'
import { queuesNamed } from './rabbitmq-backend.js'

const messageIds = new AsyncLocalStorage()

/** `idFunction` of the Database backend: within `carry` the id of the message. */
export const idFunction = () => messageIds.getStore() ?? newId()

/** Enqueues one order. Resolves once its row is committed, by this call or an earlier one. */
export async function carry({ messageId, type, body }) {
  if (!Array.isArray(body?.args))
    throw new InvalidTaskError('It is no order of a task.', 'Send it by RabbitMQBackend.')
  const { args, kwargs, queueName } = body
  const task = remoteTask(type, { queueName })
  try {
    await messageIds.run(messageId ?? '', () => task.enqueueWith({ args, kwargs }))
    return 'enqueued'
  } catch (error) {
    if (error instanceof AlreadyEnqueuedError) return 'known'
    throw error
  }
}

/** Consumes until it is closed. `onCarried` hears of each message. */
export function consume({ url, queue }, onCarried = () => {}) {
  const connection = new Connection({ url, retryLow: 200, retryHigh: 2_000 })
  connection.on('error', (error) => console.error(`RabbitMQ: ${error.message}`))
  const [{ durable, arguments: more }, refused] = queuesNamed(queue)
  const consumer = connection.createConsumer(
    {
      queue,
      queueOptions: { durable, arguments: more },
      qos: { prefetchCount: 20 },
      concurrency: 10,
    },
    async (message) => {
      try {
        onCarried(await carry(message), message)
        return ConsumerStatus.ACK
      } catch (error) {
        console.error(`Order ${message.messageId} (${message.type}): ${error.message}`)
        if (isHopeless(error)) return ConsumerStatus.DROP // to the queue of refused ones
        await sleep(1_000) // the database is away: it comes again
        return ConsumerStatus.REQUEUE
      }
    },
  )
  consumer.on('error', (error) => console.error(`Consumer: ${error.message}`))
  const ready = connection.queueDeclare(refused)
  ready.catch(() => {}) // told above; a sender declares it, too
  return {
    close: async () => {
      await consumer.close()
      await connection.close()
    },
  }
}

/** It would fail again, however often it came. */
function isHopeless(error) {
  return (
    error instanceof InvalidTaskError ||
    error instanceof NotSerializableError ||
    error instanceof InvalidSettingsError // its id is no UUID
  )
}
