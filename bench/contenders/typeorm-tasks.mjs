// This library, by the build in `dist`, as an app uses it.
import { createRequire } from 'node:module'
import { repository } from '../lib/prepare.mjs'
import { optionsOf } from './data-source.mjs'
import { grownRows } from './grown-rows.mjs'

const require = createRequire(`${repository}/package.json`)
const { DataSource } = require('typeorm')
const {
  configureTasks,
  DBTaskResult,
  pruneResults,
  startWorker,
  task,
  taskFinished,
} = require('./dist/index.js')
const { backends } = require('./dist/lib/backend-registry.js')
const { DatabaseBackend } = require('./dist/backends/database/index.js')

let hub

const work = task('bench.work', (payload) => hub.run(payload))

export async function open(address, settings) {
  const dataSource = new DataSource({ ...optionsOf(address), entities: [DBTaskResult] })
  await dataSource.initialize()
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  let store
  return {
    tellsCompleted: true,
    install: () => dataSource.synchronize(),
    add: (payload) => work.enqueue(payload),
    addMany: (payloads) => work.enqueueMany(payloads.map((payload) => [payload])),
    grow: (kind, count) =>
      grownRows(address.type, kind, count).reduce(
        (before, sql) => before.then(() => dataSource.query(sql)),
        Promise.resolve(),
      ),
    async work({ run, completed }) {
      hub = { run }
      taskFinished.connect(() => completed(1))
      await startWorker(settings)
    },
    async left() {
      const [row] = await dataSource.query(
        "SELECT count(*) AS n FROM db_task_result WHERE status IN ('READY', 'RUNNING') AND run_after > '9000-01-01'",
      )
      return Number(row.n)
    },
    async claim(room) {
      store ??= await backends.get('default').openStore({})
      const { claimed } = await store.exchange([], room, {
        workerId: 'bench',
        queues: ['default'],
        excludeQueues: [],
      })
      return claimed.length
    },
    hold: () => hold(dataSource),
    prune: () => pruneResults({ queues: '*' }),
    /** Makes what is finished so many days old. */
    async age(days) {
      const part = address.type === 'postgres' ? `INTERVAL '${days} days'` : `INTERVAL ${days} DAY`
      await dataSource.query(
        `UPDATE db_task_result SET finished_at = finished_at - ${part} WHERE status = 'SUCCESSFUL'`,
      )
    },
    async close() {
      await store?.close()
      await dataSource.destroy()
    },
  }
}

/** Keeps a snapshot of this moment, as a long report or a backup does. */
async function hold(dataSource) {
  const runner = dataSource.createQueryRunner()
  await (dataSource.options.type === 'better-sqlite3'
    ? runner.query('BEGIN')
    : runner.startTransaction('REPEATABLE READ'))
  await runner.query('SELECT count(*) FROM db_task_result')
}
