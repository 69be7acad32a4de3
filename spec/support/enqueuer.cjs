// A process that enqueues and cancels as it is told by messages, and runs no worker: `node enqueuer.cjs <options as JSON>`.
const { setTimeout: sleep } = require('node:timers/promises')
const { DataSource } = require('typeorm')
const { atomic, configureTasks, DBTaskResult, remoteTask } = require('../../dist')
const { DatabaseBackend } = require('../../dist/backends/database')

const dataSource = new DataSource({ ...JSON.parse(process.argv[2]), entities: [DBTaskResult] })

const verbs = {
  enqueue: ({ name, queueName }) => remoteTask(name, { queueName }).enqueue(),
  /** Its transaction is committed `ms` after the enqueue. */
  slowly: ({ name, queueName, ms }) =>
    atomic(dataSource, async () => {
      const result = await remoteTask(name, { queueName }).enqueue()
      await sleep(ms)
      return result
    }),
  cancel: async ({ name, id }) => {
    const result = await remoteTask(name).getResult(id)
    await result.cancel()
    return result
  },
}

process.on(
  'message',
  ({ verb, ...wish }) =>
    void verbs[verb](wish).then(({ id }) => process.send({ id, at: Date.now() })),
)
process.on('disconnect', () => process.exit())

void dataSource.initialize().then(() => {
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  process.send({ id: '', at: Date.now() })
})
