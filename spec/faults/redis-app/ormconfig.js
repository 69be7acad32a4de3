// The app of the fault specs on Redis, copied into a folder of its own; fault.json is written by the spec.
const { DataSource } = require('typeorm')
const { DBTaskResult } = require('typeorm-tasks')
const { options } = require('./fault.json')

// The command line wants one; no task is in it.
exports.dataSource = new DataSource({
  type: 'better-sqlite3',
  database: ':memory:',
  entities: [DBTaskResult],
})

exports.TASKS = {
  default: {
    BACKEND: 'typeorm-tasks/backends/bullmq#BullMQBackend',
    QUEUES: ['default'],
    OPTIONS: options,
  },
}
