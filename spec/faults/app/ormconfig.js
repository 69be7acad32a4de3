// The app of the fault specs, copied into a folder of its own; fault.json is written by the spec.
const { DataSource } = require('typeorm')
const { DBTaskResult, taskEntities } = require('typeorm-tasks')
const { app, hasWorkers, settings } = require('./fault.json')

exports.dataSource = new DataSource({
  ...app,
  entities: hasWorkers ? taskEntities : [DBTaskResult],
})

exports.TASKS = {
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    QUEUES: [],
    OPTIONS: settings,
  },
}
