// A process of its own, for the sake of its TZ: enqueues, works or reads on each of the given databases, with the built library.
const { readFileSync } = require('node:fs')
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult, runUntilEmpty, task } = require('typeorm-tasks')
const { DatabaseBackend } = require('typeorm-tasks/backends/database')

const tell = task(
  'spec.tell',
  async ({ taskResult }) => [taskResult.enqueuedAt.getTime(), taskResult.startedAt.getTime()],
  { takesContext: true },
)

const jobs = {
  /** One task for each instant; gives what the enqueuing side holds in hand. */
  async enqueue({ instants, queueName }) {
    const results = []
    for (const runAfter of instants)
      results.push(
        await tell
          .using({ queueName, runAfter: runAfter === null ? null : new Date(runAfter) })
          .enqueue(),
      )
    return results.map((result) => [
      result.id,
      result.runAfter?.getTime() ?? null,
      result.enqueuedAt.getTime(),
    ])
  },
  async work({ queues }) {
    return await runUntilEmpty({ queues })
  },
  /** Every row by its result and by the repository, and what the check says. */
  async read(_, { rows, check }) {
    const read = []
    for (const row of await rows.find()) {
      const result = await tell.getResult(row.id)
      read.push({
        id: row.id,
        byResult: instantsOf(result),
        byRow: instantsOf(result.dbResult),
        byRepository: instantsOf(row),
        returnValue: result.returnValue,
      })
    }
    return { read, problems: await check() }
  },
}

function instantsOf({ enqueuedAt, startedAt, finishedAt, runAfter }) {
  return [enqueuedAt, startedAt, finishedAt, runAfter].map((instant) => instant?.getTime() ?? null)
}

async function main({ job, databases, ...wish }) {
  const answers = []
  for (const options of databases) {
    const dataSource = await new DataSource({ ...options, entities: [DBTaskResult] }).initialize()
    configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
    const check = () =>
      new DatabaseBackend('default', { queues: [], options: { dataSource } }).check()
    answers.push(await jobs[job](wish, { rows: dataSource.getRepository(DBTaskResult), check }))
    await dataSource.destroy()
  }
  process.stdout.write(JSON.stringify(answers))
}

main(JSON.parse(readFileSync(0, 'utf8'))).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
