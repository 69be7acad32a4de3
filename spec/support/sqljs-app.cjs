// An app on sql.js, which has no dialect of its own; prints what became of its tasks.
require('reflect-metadata')
const { DataSource } = require('typeorm')
const { built } = require('./built.cjs')
const { configureTasks, DBTaskResult, runUntilEmpty, setLogger, task } = require('../../dist')
const { dialectFor } = require(built('#dialect-for'))
const { tableOf } = require(built('#database/table'))

async function main() {
  const quiet = () => {}
  setLogger({ debug: quiet, info: quiet, warn: quiet, error: quiet })
  const dataSource = await new DataSource({
    type: 'sqljs',
    entities: [DBTaskResult],
    synchronize: true,
  }).initialize()
  configureTasks({
    default: {
      BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
      OPTIONS: { dataSource },
    },
  })
  const add = task('sums.add', (a, b) => a + b)
  const fail = task('sums.fail', () => {
    throw new RangeError('too far')
  })
  const [sum, failure] = [await add.enqueue(1, 41), await fail.enqueue()]
  await runUntilEmpty()
  await Promise.all([sum.refresh(), failure.refresh()])
  const { name } = dialectFor(await tableOf(dataSource))
  console.log(
    JSON.stringify({
      dialect: name,
      status: sum.status,
      returnValue: sum.returnValue,
      failed: [failure.status, failure.errors[0].exceptionClassPath],
    }),
  )
  await dataSource.destroy()
}

void main()
