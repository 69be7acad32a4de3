import { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult } from 'typeorm-tasks'
import { idFunction } from './consumer.js'
import { RabbitMQBackend } from './rabbitmq-backend.js'

/** Where the broker is. */
export const broker = {
  url: process.env.RABBITMQ_URL ?? 'amqp://guest:guest@127.0.0.1:5672',
  queue: 'tasks',
}

export const dataSource = new DataSource({
  type: 'better-sqlite3',
  database: 'example.sqlite',
  enableWAL: true,
  entities: [DBTaskResult],
  // Makes the table. An app of its own has migrations for that: npx tasks makemigrations.
  synchronize: true,
})

export const TASKS = configureTasks({
  // Where the consumer enqueues, and workers run.
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    OPTIONS: { dataSource, idFunction },
  },
  // Where programs without that database enqueue.
  broker: { BACKEND: RabbitMQBackend, OPTIONS: broker },
})
