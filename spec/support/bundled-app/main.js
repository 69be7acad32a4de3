require('reflect-metadata')
const library = require('typeorm-tasks')
const { DataSource } = require('typeorm')
const { configureTasks, DBTaskResult, startWorker, task } = library

const dataSource = new DataSource({
  type: 'better-sqlite3',
  driver: require('better-sqlite3'),
  database: ':memory:',
  entities: [DBTaskResult],
  synchronize: true,
})
configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    OPTIONS: { dataSource, leaseSeconds: 3 },
  },
})
const add = task('bundle.add', (a, b) => a + b)
const { apart } = require('./tasks.js')
const waits = task(
  'bundle.waits',
  ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  { takesContext: true },
)

async function isolatedRun(module) {
  try {
    const worker = await startWorker({ interval: 20, isolation: { module } })
    const result = await apart.enqueue()
    await result.wait({ timeout: 60_000 })
    await worker.stop()
    return [result.status, result.returnValue !== process.pid]
  } catch (error) {
    return [error.name, error.message]
  }
}

async function main() {
  await dataSource.initialize()
  const kept = await dataSource.transaction((manager) => add.using({ manager }).enqueue(40, 2))
  const running = await waits.enqueue()
  const worker = await startWorker({ interval: 20, shutdownTimeout: 0 })
  await kept.wait({ timeout: 60_000 })
  while ((await running.refresh(), running.status) !== 'RUNNING')
    await new Promise((next) => setTimeout(next, 20))
  await running.cancel()
  await running.wait({ timeout: 60_000 })
  await worker.stop()
  const isolated = await isolatedRun(process.argv[2] ?? process.argv[1])
  console.log(
    JSON.stringify({
      returnValue: kept.returnValue,
      cancelled: running.errors[0].exceptionClassPath,
      headline: running.errors[0].traceback.split('\n')[0],
      entity: dataSource.getMetadata(DBTaskResult).name,
      wrongNames: Object.entries(library)
        .filter(
          ([name, value]) =>
            /^[A-Z]/.test(name) && typeof value === 'function' && value.name !== name,
        )
        .map(([name]) => name),
      isolated,
    }),
  )
  await dataSource.destroy()
}
main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
